import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Logger } from '../base/log.ts';
import type { Settings } from '../base/settings.ts';
import type { Control } from '../main.ts';
import { fargateCluster } from '../node/settings.ts';
import { writeProfile } from './aws-profile.ts';
import { startChecks } from './checks.ts';
import { withExamples } from './connection-options.ts';
import {
  type Connection,
  dataDirOf,
  defaultDataDir,
  makeDataDir,
  readSettings,
  writeConnection,
  writeSettings,
} from './data-dir.ts';
import { announceInstance, knownInstances } from './instances.ts';
import { lockDataDir, pidFile } from './lock.ts';
import { openLogFile } from './log-files.ts';
import { endOrphan, superviseNode } from './node-supervisor.ts';
import { CommandError, paint, reasonOf, say, sayJson } from './output.ts';
import { portHolder, portTrouble } from './port.ts';
import { writeRecord } from './processes.ts';
import { machineRoutes } from './public-pool.ts';
import { resolveSettings, type UpFlags } from './up-settings.ts';

interface UpOptions extends UpFlags {
  readonly dataDir: string;
  readonly profile?: string | true;
  readonly demo?: boolean;
  readonly logLevel: string;
  readonly json?: boolean;
}

const stopBoundMs = 15_000;

export function upCommand(): Command {
  const wholeNumber = (text: string) => {
    if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a number.');
    return Number(text);
  };
  const command = new Command('up')
    .helpGroup('Run it:')
    .description('start Longshore here and keep it running until Ctrl-C')
    .optionsGroup('Where it answers:')
    .addOption(new Option('--port <n>', 'the API’s port (default: 4566)').env('LONGSHORE_PORT').argParser(wholeNumber))
    .addOption(new Option('--host <address>', 'the address it listens on (default: 127.0.0.1)').env('LONGSHORE_HOST'))
    .addOption(
      new Option('--profile [name]', 'write this AWS profile (“longshore” where unnamed) into ~/.aws').env(
        'LONGSHORE_PROFILE',
      ),
    )
    .optionsGroup('What it is:')
    .addOption(
      new Option('--data-dir <dir>', 'where it keeps everything').env('LONGSHORE_DATA_DIR').default(defaultDataDir),
    )
    .addOption(new Option('--region <name>', 'its region (default: us-east-1)').env('LONGSHORE_REGION'))
    .addOption(new Option('--account-id <id>', 'its account (default: 000000000000)').env('LONGSHORE_ACCOUNT_ID'))
    .addOption(
      new Option('--public-pool <cidr>', 'addresses for internet gateways (default: a free /16 of 100.64.0.0/10)').env(
        'LONGSHORE_PUBLIC_POOL',
      ),
    )
    .addOption(
      new Option(
        '--blob-store <url>',
        'where images lie: s3://BUCKET/PREFIX?endpoint=URL (default: the data directory)',
      ).env('LONGSHORE_BLOB_STORE'),
    )
    .addOption(
      new Option('--runtime <kind>', 'what runs tasks; simulated ones only pretend (default: containerd)')
        .choices(['containerd', 'simulated'])
        .env('LONGSHORE_RUNTIME'),
    )
    .addOption(
      new Option('--auth <mode>', 'off takes any key and allows everything, on loopback only (default: on)')
        .choices(['on', 'off'])
        .env('LONGSHORE_AUTH'),
    )
    .addOption(
      new Option('--scanner <command>', 'a Trivy or Grype that scans images, e.g. "grype oci-dir:{layout} -o json"')
        .env('LONGSHORE_SCANNER')
        .argParser((text: string) => text.trim().split(/\s+/).filter(Boolean)),
    )
    .optionsGroup('How it goes:')
    .addOption(new Option('--demo', 'build and deploy examples/hello once it runs'))
    .addOption(
      new Option('--log-level <level>', 'of DATA_DIR/logs')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .env('LONGSHORE_LOG_LEVEL')
        .default('info'),
    )
    .addOption(new Option('--json', 'say what runs as one JSON document'))
    .action((options: UpOptions) => up(options));
  return withExamples(command, [
    ['longshore up', 'on port 4566, state in /var/lib/longshore'],
    ['longshore up --port 4567 --data-dir /srv/two', 'a second one beside it'],
    ['longshore up --runtime simulated --auth off', 'for API tests, without root'],
  ]);
}

async function up(options: UpOptions): Promise<void> {
  const dataDir = dataDirOf(options.dataDir);
  const stored = readSettings(dataDir);
  const settings = resolveSettings(dataDir, flagsOf(options), stored, () => ({
    instances: knownInstances(),
    routes: machineRoutes(),
  }));
  if (settings.runtime === 'containerd') checkMachine();
  makeDataDir(dataDir);
  const unlock = lockDataDir(dataDir);
  await checkPort(settings);
  writeSettings(settings);
  writeRecord(pidFile(dataDir), process.pid);
  if (settings.runtime === 'containerd') announceInstance(settings);

  const log = openLogFile(dataDir, 'control', options.logLevel);
  await endOrphan(dataDir);
  const node = superviseNode({ dataDir, logLevel: options.logLevel, log });
  const leave = () => {
    rmSync(pidFile(dataDir), { force: true });
    unlock();
  };

  const control = await begin(settings, log).catch(async (error) => {
    await node.stop();
    leave();
    throw error;
  });
  const stop = onStopSignals(settings, async () => {
    await node.stop();
    await control.stop();
    leave();
  });

  const endpoint = clientEndpoint(control.endpoint);
  const connection: Connection = {
    endpoint,
    region: settings.region,
    accountId: settings.accountId,
    ...control.rootCredentials,
  };
  writeConnection(dataDir, connection);
  const profile = options.profile === true ? 'longshore' : options.profile;
  if (profile) writeProfile(profile, connection);

  const trouble = await node.configure({
    endpoint,
    region: settings.region,
    credentials: control.nodeCredentials,
    cluster: fargateCluster,
    stateDir: `${dataDir}/node`,
    instanceId: settings.instanceId,
    runtime: settings.runtime,
    publicPool: settings.publicPool,
  });
  if (stop.under()) return;
  if (options.json) {
    sayJson({
      endpoint,
      region: settings.region,
      accountId: settings.accountId,
      dataDir,
      pid: process.pid,
      node: trouble ?? 'started',
    });
  } else {
    banner(settings, endpoint, stored !== undefined, profile, trouble);
  }
  if (options.demo && !trouble) await demo(dataDir, stop.under);
}

/** The control plane's code is read only now, while the node's process already reads its own. */
async function begin(settings: Settings, log: Logger): Promise<Control> {
  const { startControl } = await import('../main.ts');
  return startControl(settings, log);
}

function flagsOf({ port, host, region, accountId, auth, runtime, publicPool, blobStore, scanner }: UpOptions): UpFlags {
  return { port, host, region, accountId, auth, runtime, publicPool, blobStore, scanner };
}

function checkMachine(): void {
  const failed = startChecks().filter((check) => check.state === 'fail');
  if (failed.length === 0) return;
  const list = failed.map((check) => `  ${check.name}: ${check.detail}\n      ${check.mend}`).join('\n');
  throw new CommandError(`Longshore can't run containers here:\n${list}`, {
    hint: '`longshore doctor` checks everything.',
  });
}

async function checkPort({ host, port, dataDir }: Settings): Promise<void> {
  const code = port === 0 ? undefined : await portTrouble(host, port);
  if (!code) return;
  if (code !== 'EADDRINUSE')
    throw new CommandError(`Longshore can't listen on ${host}:${port}: ${code}.`, {
      hint: 'Name another with --port or --host.',
    });
  const other = knownInstances().find((instance) => instance.port === port && instance.dataDir !== dataDir);
  const holder = other ? `the Longshore of ${other.dataDir}` : portHolder(port);
  throw new CommandError(`Port ${port} is taken${holder ? ` by ${holder}` : ''}.`, {
    hint: 'End that, or name another port: longshore up --port 4567.',
  });
}

/** Where clients of this machine reach an API that may listen on every address. */
function clientEndpoint(endpoint: string): string {
  return endpoint.replace('//0.0.0.0:', '//127.0.0.1:').replace('//:::', '//127.0.0.1:');
}

/** The first Ctrl-C stops in good order, a second one at once. */
function onStopSignals(settings: Settings, stop: () => Promise<void>): { under(): boolean } {
  let stopping = false;
  const handle = (signal: NodeJS.Signals) => {
    if (stopping) {
      say('Stopped at once.');
      process.exit(130);
    }
    stopping = true;
    const again = settings.dataDir === defaultDataDir ? '' : ` --data-dir ${settings.dataDir}`;
    const keep = settings.runtime === 'containerd' ? ' Tasks and load balancers keep running.' : '';
    say(`\nStopping.${keep}${signal === 'SIGINT' ? ' Ctrl-C again forces.' : ''}`);
    const bound = setTimeout(() => {
      say('Stopping took too long; ended.');
      process.exit(1);
    }, stopBoundMs);
    stop().then(
      () => {
        clearTimeout(bound);
        say(
          `Stopped. \`longshore up${again}\` takes up where this was; \`longshore down${again}\` removes what still runs.`,
        );
        process.exit(0);
      },
      (error) => {
        say(`Stopped, but not in good order: ${reasonOf(error)}`);
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => handle(signal));
  return { under: () => stopping };
}

function banner(
  settings: Settings,
  endpoint: string,
  again: boolean,
  profile: string | undefined,
  trouble: string | undefined,
): void {
  const elsewhere = settings.dataDir === defaultDataDir ? '' : ` --data-dir ${settings.dataDir}`;
  const rows: [string, string][] = [
    ['API', `${endpoint}   every AWS service here, and /v2/`],
    [
      'account',
      `${settings.accountId} in ${settings.region}${settings.auth === 'off' ? ', any key is taken (--auth off)' : ''}`,
    ],
    ['data', `${settings.dataDir}${again ? ' (taken up where it was)' : ' (new)'}`],
    [
      'tasks',
      settings.runtime === 'simulated'
        ? 'simulated: they only pretend'
        : 'containerd, security groups by nftables, load balancers by HAProxy',
    ],
    ...(profile ? [['profile', `${profile}, in ~/.aws`] as [string, string]] : []),
  ];
  say();
  say(`  ${paint('bold', 'Longshore')} is running.`);
  say();
  for (const [name, value] of rows) say(`  ${paint('dim', name.padEnd(8))} ${value}`);
  if (trouble) say(`  ${paint('red', 'node'.padEnd(8))} could not start yet: ${trouble}`);
  say();
  say(`  In another terminal:`);
  say(`    ${paint('cyan', `eval "$(npx longshore env${elsewhere})"`)}       for aws, the SDKs, CDK, Terraform`);
  say(`    ${paint('cyan', `npx longshore deploy ./my-app${elsewhere}`)}     from a Dockerfile to a URL`);
  say(`    ${paint('cyan', `npx longshore status${elsewhere}`)}              all at one look`);
  say();
  say('  Ctrl-C stops it and leaves tasks running. This removes everything:');
  say(`    ${paint('cyan', `npx longshore down${elsewhere}`)}`);
  say();
}

/** Deploys the example in a process of its own, so that what it needs does not stay in this one's memory. */
function demo(dataDir: string, stopping: () => boolean): Promise<void> {
  const door = fileURLToPath(import.meta.resolve('../../bin/longshore.mjs'));
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [door, 'deploy', '--demo', '--data-dir', dataDir], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', (error) => {
      say(`The demo could not be started: ${error.message}`);
      resolve();
    });
    child.once('exit', (code) => {
      if (code !== 0 && !stopping()) say('The demo did not succeed. Longshore itself keeps running.');
      resolve();
    });
  });
}
