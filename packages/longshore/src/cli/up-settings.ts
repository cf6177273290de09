import { randomBytes } from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { Settings } from '../base/settings.ts';
import type { Instance } from './instances.ts';
import { CommandError } from './output.ts';
import { freePool, parseRange } from './public-pool.ts';

/** What `longshore up` was told on its command line or by `LONGSHORE_*` variables; what is absent stays as it was. */
export interface UpFlags {
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly region?: string | undefined;
  readonly accountId?: string | undefined;
  readonly auth?: 'on' | 'off' | undefined;
  readonly runtime?: 'containerd' | 'simulated' | undefined;
  readonly publicPool?: string | undefined;
  /** The words of an external scanner's command; none for our own again. */
  readonly scanner?: readonly string[] | undefined;
  readonly blobStore?: string | undefined;
}

/** What the machine knows that a first start must keep clear of. */
export interface Machine {
  readonly instances: readonly Instance[];
  /** Destinations of its routing table. */
  readonly routes: readonly string[];
}

/** What everything in a data directory is named after, and so can't change with it. */
const lasting = ['region', 'accountId', 'runtime', 'publicPool', 'blobStore'] as const;
const flagOf = {
  region: '--region',
  accountId: '--account-id',
  runtime: '--runtime',
  publicPool: '--public-pool',
  blobStore: '--blob-store',
} as const;

/**
 * Settings of this start: the flags over what the data directory remembers over the defaults. Throws CommandError where they
 * contradict each other or what the directory was made with.
 */
export function resolveSettings(
  dataDir: string,
  flags: UpFlags,
  stored: Settings | undefined,
  machine: () => Machine,
): Settings {
  if (stored) {
    for (const name of lasting) {
      if (flags[name] === undefined || flags[name] === stored[name]) continue;
      throw new CommandError(
        `${dataDir} was made with ${stored[name] === undefined ? `no ${flagOf[name]}` : `${flagOf[name]} ${stored[name]}`}; it can't become ${flags[name]}.`,
        {
          hint: 'Use another --data-dir for the other one, or start afresh: `longshore down --data`.',
        },
      );
    }
  }
  const settings = stored ? { ...stored, ...present(flags) } : firstSettings(dataDir, flags, machine());
  check(settings);
  return settings;
}

function firstSettings(dataDir: string, flags: UpFlags, { instances, routes }: Machine): Settings {
  const others = instances.filter((instance) => instance.dataDir !== dataDir);
  const takenIds = new Set(others.map((instance) => instance.instanceId));
  let instanceId: string;
  do instanceId = randomBytes(2).toString('hex');
  while (takenIds.has(instanceId));
  return {
    port: 4566,
    host: '127.0.0.1',
    region: 'us-east-1',
    accountId: '000000000000',
    auth: 'on',
    runtime: 'containerd',
    publicPool: flags.publicPool ?? freePool([...routes, ...others.map((instance) => instance.publicPool)]),
    ...present(flags),
    dataDir,
    instanceId,
  };
}

function present(flags: UpFlags): Partial<Settings> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

function check({ port, host, region, accountId, auth, publicPool }: Settings): void {
  const wrong = (message: string, hint?: string) => new CommandError(message, hint ? { hint } : {});
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw wrong(`The port must be a number up to 65535, not ${port}.`);
  if (!/^\d{12}$/.test(accountId)) throw wrong(`The account id must be twelve digits, not ${accountId}.`);
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) throw wrong(`The region must look like eu-central-1, not ${region}.`);
  const pool = parseRange(publicPool);
  if (!pool || pool.last - pool.first < 15) {
    throw wrong(
      `The public pool must be an IPv4 range such as 100.64.0.0/16, of at least 16 addresses, not ${publicPool}.`,
    );
  }
  const loopback = host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
  if (auth === 'off' && !loopback) {
    throw wrong(
      `--auth off lets anyone who reaches ${host} do everything.`,
      'It is for loopback only: use --host 127.0.0.1, or --auth on.',
    );
  }
}
