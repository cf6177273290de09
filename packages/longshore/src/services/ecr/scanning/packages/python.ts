import { type FoundPackage, isPlausible } from '../inventory.ts';

/** `METADATA` of a `.dist-info` or `PKG-INFO` of an `.egg-info` (packaging.python.org, "Core metadata"): headers up to an empty line. */
export function parsePythonMetadata(text: string): FoundPackage[] {
  const head = text.split(/\r?\n\r?\n/, 1)[0] ?? '';
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, 'im').exec(head)?.[1]?.trim();
  const name = field('Name');
  const version = field('Version');
  return isPlausible(name, version) ? [{ kind: 'pypi', name: name as string, version: version as string }] : [];
}
