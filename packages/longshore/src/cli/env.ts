import { Command } from 'commander';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { type Connection, dataDirOf, readConnection } from './data-dir.ts';
import { say, sayJson } from './output.ts';

/** What makes every AWS client speak to that Longshore. */
export function variables(connection: Connection): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL: connection.endpoint,
    AWS_REGION: connection.region,
    AWS_DEFAULT_REGION: connection.region,
    AWS_ACCESS_KEY_ID: connection.accessKeyId,
    AWS_SECRET_ACCESS_KEY: connection.secretAccessKey,
  };
}

/** What would lead a client elsewhere in spite of the above. */
const misleading = ['AWS_SESSION_TOKEN', 'AWS_PROFILE', 'AWS_DEFAULT_PROFILE', 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'];

export function envCommand(): Command {
  const command = new Command('env')
    .helpGroup('Use it:')
    .description('print the exports that point every AWS client at a Longshore')
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action((options: { dataDir: string; json?: boolean }) => {
      const values = variables(readConnection(dataDirOf(options.dataDir)));
      if (options.json) return sayJson(values);
      for (const [name, value] of Object.entries(values)) say(`export ${name}='${value.replaceAll("'", "'\\''")}'`);
      say(`unset ${misleading.join(' ')}`);
    });
  return withExamples(command, [
    ['eval "$(longshore env)"', 'for this shell'],
    ['eval "$(longshore env --data-dir /srv/two)"', 'another Longshore'],
    ['longshore env --json', 'for programs'],
  ]);
}
