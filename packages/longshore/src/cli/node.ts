import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import { systemRandom } from '../base/random.ts';
import { fargateCluster, type NodeSettings } from '../node/settings.ts';
import { startChecks } from './checks.ts';
import { withExamples } from './connection-options.ts';
import { makeDataDir, readJson, writeJson } from './data-dir.ts';
import { knownInstances } from './instances.ts';
import { lockDataDir } from './lock.ts';
import { openLogFile } from './log-files.ts';
import { CommandError, say } from './output.ts';
import { freePool, machineRoutes } from './public-pool.ts';

interface NodeOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly cluster: string;
  readonly dataDir: string;
  readonly publicPool?: string;
  readonly logLevel: string;
}

export function nodeCommand(): Command {
  const command = new Command('node')
    .helpGroup('Run it:')
    .description('join this machine to a Longshore elsewhere, to run its tasks')
    .addOption(
      new Option('--endpoint <url>', 'where that Longshore’s API answers')
        .env('LONGSHORE_ENDPOINT')
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--cluster <name>', 'the cluster to join')
        .env('LONGSHORE_CLUSTER')
        .default(fargateCluster, 'the one that runs Fargate tasks'),
    )
    .addOption(new Option('--region <name>', 'its region').env('LONGSHORE_REGION').default('us-east-1'))
    .addOption(
      new Option('--data-dir <dir>', 'where this node keeps its state')
        .env('LONGSHORE_DATA_DIR')
        .default('/var/lib/longshore-node'),
    )
    .addOption(
      new Option('--public-pool <cidr>', 'addresses for internet gateways (default: a free /16)').env(
        'LONGSHORE_PUBLIC_POOL',
      ),
    )
    .addOption(
      new Option('--log-level <level>', 'of DATA_DIR/logs')
        .choices(['debug', 'info', 'warn', 'error'])
        .env('LONGSHORE_LOG_LEVEL')
        .default('info'),
    )
    .addHelpText('after', '\nIts credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.')
    .action((options: NodeOptions) => node(options));
  return withExamples(command, [
    ['longshore node --endpoint http://10.0.0.5:4566 --cluster default', 'as an EC2-type instance'],
  ]);
}

async function node(options: NodeOptions): Promise<void> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
  if (!accessKeyId || !secretAccessKey) {
    throw new CommandError('A node signs what it asks for: it needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.', {
      hint: 'On the machine of `longshore up`: longshore env',
    });
  }
  const failed = startChecks().filter((check) => check.state === 'fail');
  if (failed.length > 0) {
    throw new CommandError(
      `This machine can't run containers:\n${failed.map((each) => `  ${each.name}: ${each.detail}`).join('\n')}`,
      {
        hint: '`longshore doctor` says how to mend each.',
      },
    );
  }
  const dataDir = resolve(options.dataDir);
  makeDataDir(dataDir);
  const unlock = lockDataDir(dataDir);
  const log = openLogFile(dataDir, 'node', options.logLevel);
  const settings: NodeSettings = {
    endpoint: options.endpoint,
    region: options.region,
    credentials: { accessKeyId, secretAccessKey },
    cluster: options.cluster,
    stateDir: `${dataDir}/node`,
    runtime: 'containerd',
    ...identityOf(dataDir, options.publicPool),
  };
  const { startNode } = await import('../node/agent.ts');
  const agent = await startNode(settings, log, systemClock, systemRandom);
  say(`This machine runs tasks of ${options.endpoint}. Ctrl-C ends the agent and leaves tasks running.`);
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(130);
      stopping = true;
      void agent.stop().finally(() => {
        unlock();
        process.exit(0);
      });
    });
  }
}

/** What a node's directory remembers, so that a restarted agent finds what it left. */
interface Identity {
  readonly instanceId: string;
  readonly publicPool: string;
}

function identityOf(dataDir: string, publicPool: string | undefined): Identity {
  const path = join(dataDir, 'node-identity.json');
  const kept = readJson<Identity>(path);
  const identity: Identity = {
    instanceId: kept?.instanceId ?? randomBytes(2).toString('hex'),
    publicPool:
      publicPool ??
      kept?.publicPool ??
      freePool([...machineRoutes(), ...knownInstances().map((each) => each.publicPool)]),
  };
  writeJson(path, identity, 0o644);
  return identity;
}
