import { type FoundPackage, isPlausible } from '../inventory.ts';

/** A gem's specification as RubyGems writes it at installation: plain assignments, then the file's own name. */
export function parseGemspec(text: string, path: string): FoundPackage[] {
  const assigned = (member: string) =>
    new RegExp(`^[ \\t]*\\w{1,20}\\.${member}[ \\t]*=[ \\t]*["']([^"']+)["']`, 'm').exec(text)?.[1];
  const [, fileName, fileVersion] = /([^/]+?)-(\d[0-9A-Za-z.]*)(?:-[^/]*)?\.gemspec$/.exec(path) ?? [];
  const name = assigned('name') ?? fileName;
  const version = assigned('version') ?? fileVersion;
  return isPlausible(name, version) ? [{ kind: 'gem', name: name as string, version: version as string }] : [];
}
