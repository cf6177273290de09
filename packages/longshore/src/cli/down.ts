import { existsSync, rmSync } from 'node:fs';
import { Command, Option } from 'commander';
import type { Settings } from '../base/settings.ts';
import { fargateCluster } from '../node/settings.ts';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { dataDirOf, readSettings } from './data-dir.ts';
import { forgetInstance } from './instances.ts';
import { type Leftover, leftovers } from './leftovers.ts';
import { lockDataDir, pidFile } from './lock.ts';
import { openLogFile } from './log-files.ts';
import { endOrphan } from './node-supervisor.ts';
import { CommandError, paint, reasonOf, say, sayJson } from './output.ts';
import { endProcess, readRecord } from './processes.ts';

interface DownOptions {
  readonly dataDir: string;
  readonly data?: boolean;
  readonly json?: boolean;
}

const upGraceMs = 20_000;

export function downCommand(): Command {
  const command = new Command('down')
    .helpGroup('Run it:')
    .description('end a Longshore and remove everything it made on this machine')
    .addOption(dataDirOption())
    .addOption(new Option('--data', 'delete its data directory as well: images, definitions, everything'))
    .addOption(jsonOption())
    .action((options: DownOptions) => down(options));
  return withExamples(command, [
    ['longshore down', 'tasks, load balancers and networks go, what was defined stays'],
    ['longshore down --data', 'nothing is left of it'],
  ]);
}

async function down(options: DownOptions): Promise<void> {
  const dataDir = dataDirOf(options.dataDir);
  const settings = readSettings(dataDir);
  if (!settings) {
    if (options.json) sayJson({ dataDir, removed: [], left: [] });
    else say(`Nothing to remove: no Longshore has been started on ${dataDir}.`);
    return;
  }
  if (settings.runtime === 'containerd' && process.geteuid?.() !== 0) {
    throw new CommandError('Removing containers and networks needs root.', { hint: 'sudo -E longshore down' });
  }
  const tell = options.json ? () => {} : say;
  if (await endUp(dataDir)) tell('Longshore itself has ended.');
  const unlock = lockDataDir(dataDir);
  let left: Leftover[] = [];
  let trouble: string | undefined;
  const removed: Leftover[] = [];
  try {
    if (await endOrphan(dataDir)) tell('A node process that had lost its Longshore has ended.');
    if (settings.runtime === 'containerd') {
      const before = await leftovers(settings.instanceId, dataDir);
      trouble = await destroy(settings);
      left = await leftovers(settings.instanceId, dataDir);
      removed.push(
        ...before.filter((one) => !left.some((other) => other.kind === one.kind && other.name === one.name)),
      );
    }
    if (left.length === 0 && !trouble) forgetInstance(settings.instanceId);
  } finally {
    unlock();
  }
  if (options.data && left.length === 0 && !trouble) rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
  const dataGone = !existsSync(dataDir);
  if (options.json) sayJson({ dataDir, dataDeleted: dataGone, removed, left, trouble: trouble ?? null });
  else {
    say(`Removed: ${summary(removed) || 'nothing was left running'}.`);
    say(
      dataGone
        ? `${dataDir} is deleted.`
        : `What was defined and pushed stays in ${dataDir}; \`longshore up\` brings it back.`,
    );
  }
  if (left.length === 0 && !trouble) return;
  const list = left.map(({ kind, name }) => `  ${paint('yellow', kind)} ${name}`).join('\n');
  throw new CommandError(
    [
      ...(trouble ? [`Not everything could be removed: ${trouble}`] : []),
      ...(list ? [`Still on the machine:\n${list}`] : []),
    ].join('\n'),
    { hint: `Run \`longshore down\` again; ${dataDir}/logs/down.log says what failed.` },
  );
}

/** Ends a running `longshore up` of the directory. Whether there was one. */
async function endUp(dataDir: string): Promise<boolean> {
  const record = readRecord(pidFile(dataDir));
  if (!record) return false;
  if (!(await endProcess(record, upGraceMs))) {
    throw new CommandError(`Longshore (pid ${record.pid}) does not end.`, {
      hint: `Look at what holds it: cat /proc/${record.pid}/stack`,
    });
  }
  rmSync(pidFile(dataDir), { force: true });
  return true;
}

/** Has the node remove all it made; in plain words what it could not. */
async function destroy({
  dataDir,
  instanceId,
  publicPool,
  region,
  runtime,
  port,
}: Settings): Promise<string | undefined> {
  const log = openLogFile(dataDir, 'down', 'info');
  const { destroyNode } = await import('../node/agent.ts');
  const settings = {
    endpoint: `http://127.0.0.1:${port}`,
    region,
    // Nothing is asked of the API any more.
    credentials: { accessKeyId: '', secretAccessKey: '' },
    cluster: fargateCluster,
    stateDir: `${dataDir}/node`,
    instanceId,
    runtime,
    publicPool,
  };
  try {
    await destroyNode(settings, log);
    return undefined;
  } catch (error) {
    log.info({ err: error }, 'not everything could be removed');
    return reasonOf(error);
  }
}

function summary(things: readonly Leftover[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of things) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts]
    .map(([kind, count]) => `${count} ${count === 1 ? kind : kind === 'process' ? 'processes' : `${kind}s`}`)
    .join(', ');
}
