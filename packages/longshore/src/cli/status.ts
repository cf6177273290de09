import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { awsClient } from './aws-client.ts';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { type Connection, dataDirOf, readConnection } from './data-dir.ts';
import { pidFile } from './lock.ts';
import { paint, say, sayJson } from './output.ts';
import { readRecord } from './processes.ts';
import { gather } from './status/gather.ts';
import { render, type Styles } from './status/render.ts';

interface StatusOptions {
  readonly dataDir: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const watchMs = 2_000;
const styles: Styles = {
  heading: (text) => paint('bold', text),
  dim: (text) => paint('dim', text),
  trouble: (text) => paint('red', text),
};

export function statusCommand(): Command {
  const command = new Command('status')
    .helpGroup('Use it:')
    .description('clusters, services, tasks, load balancers and nodes at one look')
    .addOption(new Option('-w, --watch', 'look again every two seconds, until Ctrl-C'))
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action((options: StatusOptions) => status(options));
  return withExamples(command, [
    ['longshore status', 'now'],
    ['longshore status --watch', 'while a deployment rolls'],
    ['longshore status --json', 'for programs, in the API’s own shapes'],
  ]);
}

async function status(options: StatusOptions): Promise<void> {
  const dataDir = dataDirOf(options.dataDir);
  const connection = readConnection(dataDir);
  const client = awsClient(connection, 10_000);
  if (options.json) return sayJson(await gather(client));
  const width = Math.max(60, process.stdout.columns ?? 80);
  for (;;) {
    const lines = [heading(dataDir, connection), '', ...render(await gather(client), width, Date.now(), styles)];
    if (options.watch && process.stdout.isTTY) process.stdout.write('\x1b[H\x1b[2J');
    say(lines.join('\n'));
    if (!options.watch) return;
    await sleep(watchMs);
  }
}

function heading(dataDir: string, { endpoint, accountId, region }: Connection): string {
  const record = readRecord(pidFile(dataDir));
  return `${paint('bold', 'Longshore')} ${endpoint}  ${accountId} ${region}${record ? `  pid ${record.pid}` : ''}`;
}
