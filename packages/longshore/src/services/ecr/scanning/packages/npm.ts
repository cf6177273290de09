import { type FoundPackage, isPlausible } from '../inventory.ts';

/** The `package.json` of an installed package. */
export function parsePackageJson(text: string): FoundPackage[] {
  const { name, version } = object(JSON.parse(text));
  return isPlausible(name, version) ? [{ kind: 'npm', name: name as string, version: version as string }] : [];
}

/** `package-lock.json` of lockfileVersion 1 (`dependencies`), 2 and 3 (`packages`). Links, and what only development needs, are left out. */
export function parsePackageLock(text: string): FoundPackage[] {
  const lock = object(JSON.parse(text));
  const found = new Map<string, FoundPackage>();
  const add = (name: unknown, version: unknown) => {
    if (isPlausible(name, version) && /^\d/.test(version as string))
      found.set(`${name}@${version}`, { kind: 'npm', name: name as string, version: version as string });
  };
  for (const [path, value] of Object.entries(object(lock.packages))) {
    const entry = object(value);
    const at = path.lastIndexOf('node_modules/');
    if (at >= 0 && entry.link !== true && entry.dev !== true)
      add(entry.name ?? path.slice(at + 'node_modules/'.length), entry.version);
  }
  if (lock.packages === undefined) addDependencies(lock.dependencies, add, 0);
  return [...found.values()];
}

function addDependencies(value: unknown, add: (name: unknown, version: unknown) => void, depth: number): void {
  if (depth > 50) return;
  for (const [name, item] of Object.entries(object(value))) {
    const entry = object(item);
    if (entry.dev !== true) add(name, entry.version);
    addDependencies(entry.dependencies, add, depth + 1);
  }
}

function object(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}
