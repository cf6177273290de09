import type { OperatingSystem } from '../inventory.ts';

/** `/etc/os-release` (os-release(5)): shell assignments, quoted or not. Undefined where it names no system. */
export function parseOsRelease(text: string): OperatingSystem | undefined {
  const values: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? [];
    if (name !== undefined) values[name] = value.replace(/^(["'])(.*)\1$/, '$2').slice(0, 200);
  }
  if (!values.ID) return undefined;
  return {
    id: values.ID.toLowerCase(),
    versionId: values.VERSION_ID ?? '',
    codename: values.VERSION_CODENAME ?? '',
    name: values.PRETTY_NAME ?? values.NAME ?? values.ID,
  };
}
