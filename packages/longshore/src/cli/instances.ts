import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../base/settings.ts';

/** What one Longshore tells the others of this machine until `longshore down` or the machine's end. */
export interface Instance {
  readonly instanceId: string;
  readonly dataDir: string;
  readonly port: number;
  readonly publicPool: string;
}

const folder = '/run/longshore';

export const instanceFile = (instanceId: string) => join(folder, `${instanceId}.json`);

/** Notes that this Longshore is on the machine, until `forgetInstance`. */
export function announceInstance({ instanceId, dataDir, port, publicPool }: Settings): void {
  mkdirSync(folder, { recursive: true });
  const instance: Instance = { instanceId, dataDir, port, publicPool };
  writeFileSync(instanceFile(instanceId), `${JSON.stringify(instance)}\n`);
}

/** The note goes, and the folder of notes with the last one. */
export function forgetInstance(instanceId: string): void {
  rmSync(instanceFile(instanceId), { force: true });
  try {
    if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
  } catch {
    // Never made, or another Longshore announced itself this moment.
  }
}

/** The Longshores that are on this machine, running or not. */
export function knownInstances(): Instance[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Instance);
  } catch {
    return [];
  }
}
