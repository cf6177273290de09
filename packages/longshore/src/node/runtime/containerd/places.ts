import { join } from 'node:path';
import type { NodeSettings } from '../../settings.ts';

/** Where everything of our containerd is. */
export interface Places {
  /** Images and snapshots: kept over reboots. */
  readonly root: string;
  /** Short, and on a tmpfs: sockets (whose paths are limited to 108 bytes) and what must not outlive a reboot. */
  readonly run: string;
  readonly socket: string;
  readonly config: string;
  readonly log: string;
  readonly pid: string;
  /** One folder a container: hosts, resolv.conf. */
  readonly containers: string;
}

/** Where containerd and its containers keep what they have. */
export function placesOf(settings: Pick<NodeSettings, 'stateDir' | 'instanceId'>): Places {
  const base = join(settings.stateDir, 'containerd');
  const run = `/run/longshore-${settings.instanceId}`;
  return {
    root: join(base, 'root'),
    run,
    socket: join(run, 'containerd.sock'),
    config: join(base, 'config.toml'),
    log: join(base, 'containerd.log'),
    pid: join(base, 'containerd.pid'),
    containers: join(settings.stateDir, 'containers'),
  };
}
