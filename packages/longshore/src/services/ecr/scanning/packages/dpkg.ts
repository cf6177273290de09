import { type FoundPackage, isPlausible } from '../inventory.ts';

/**
 * `var/lib/dpkg/status`, or a file of `status.d` (distroless): paragraphs of fields (deb822(5)). Packages that were removed
 * and left their configuration are none.
 */
export function parseDpkgStatus(text: string): FoundPackage[] {
  const found: FoundPackage[] = [];
  for (const paragraph of text.split(/\r?\n[ \t]*\r?\n+/)) {
    const fields = new Map<string, string>();
    for (const line of paragraph.split('\n')) {
      const colon = line.indexOf(':');
      if (colon > 0 && !/^\s/.test(line)) fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const name = fields.get('package');
    const version = fields.get('version');
    const status = fields.get('status');
    if (!isPlausible(name, version) || (status !== undefined && !/\sinstalled$/.test(status))) continue;
    const [, source, sourceVersion] = /^(\S+)(?:\s+\(([^)]+)\))?/.exec(fields.get('source') ?? '') ?? [];
    found.push({
      kind: 'deb',
      name: name as string,
      version: version as string,
      source: source ?? (name as string),
      sourceVersion: sourceVersion ?? (version as string),
      ...(fields.has('architecture') ? { arch: fields.get('architecture') as string } : {}),
    });
  }
  return found;
}
