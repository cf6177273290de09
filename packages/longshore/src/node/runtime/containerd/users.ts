import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mount } from './gen/types_pb.ts';

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/**
 * Finds `name|uid[:group|gid]` in the image's own /etc/passwd and /etc/group, as Docker does for `--user`.
 * Throws Error in Docker's words where a name is not there.
 */
export function resolveUser(user: string, passwd: string, group: string): UserIds {
  const [who = '', whichGroup = ''] = user.split(':');
  const users = rowsOf(passwd).map((row) => ({
    name: row[0]!,
    uid: Number(row[2]),
    gid: Number(row[3]),
    home: row[5] || '/',
  }));
  const groups = rowsOf(group).map((row) => ({
    name: row[0]!,
    gid: Number(row[2]),
    members: (row[3] ?? '').split(','),
  }));
  const wanted = who === '' ? '0' : who;
  const entry = users.find((row) => row.name === wanted) ?? users.find((row) => String(row.uid) === wanted);
  if (!entry && !/^\d+$/.test(wanted))
    throw new Error(`unable to find user ${wanted}: no matching entries in passwd file`);
  const uid = entry?.uid ?? Number(wanted);
  const home = entry?.home ?? (uid === 0 ? '/root' : '/');
  if (whichGroup !== '') {
    const found = groups.find((row) => row.name === whichGroup) ?? groups.find((row) => String(row.gid) === whichGroup);
    if (!found && !/^\d+$/.test(whichGroup))
      throw new Error(`unable to find group ${whichGroup}: no matching entries in group file`);
    return { uid, gid: found?.gid ?? Number(whichGroup), additionalGids: [], home };
  }
  const additionalGids = entry ? groups.filter((row) => row.members.includes(entry.name)).map((row) => row.gid) : [];
  return { uid, gid: entry?.gid ?? 0, additionalGids, home };
}

const rowsOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => line.split(':'));

/**
 * Reads a small file of a snapshot that is not mounted, from the folders of its layers, topmost first; empty where there is
 * none. Follows no symbolic link: a layer must not make us read the machine's own files.
 */
export async function readFromLayers(mounts: readonly Mount[], folder: string, name: string): Promise<string> {
  for (const layer of layersOf(mounts)) {
    const parent = await lstat(join(layer, folder)).catch(() => undefined);
    if (!parent) continue;
    if (!parent.isDirectory()) return '';
    const path = join(layer, folder, name);
    const found = await lstat(path).catch(() => undefined);
    if (!found) continue;
    // A character device is overlayfs's mark of a deleted file.
    return found.isFile() && found.size <= 1024 * 1024 ? await readFile(path, 'utf8') : '';
  }
  return '';
}

function layersOf(mounts: readonly Mount[]): string[] {
  const mount = mounts[0];
  if (!mount) return [];
  if (mount.type !== 'overlay') return [mount.source];
  const option = (key: string) => mount.options.find((text) => text.startsWith(`${key}=`))?.slice(key.length + 1);
  return [option('upperdir'), ...(option('lowerdir') ?? '').split(':')].filter((path): path is string => !!path);
}
