import { type FileFacts, type FoundPackage, isPlausible } from '../inventory.ts';
import { isLanguageFile } from './language-files.ts';

/** `lib/apk/db/installed` (Alpine wiki, "Apk spec", "Installed database V2"): paragraphs of `LETTER:value`. */
export function parseApkInstalled(text: string): FileFacts {
  const packages: FoundPackage[] = [];
  const owns: string[] = [];
  for (const paragraph of text.split('\n\n')) {
    const fields: Record<string, string> = {};
    let folder = '';
    for (const line of paragraph.split('\n')) {
      const letter = line.slice(0, 1);
      const value = line.slice(2);
      if (line[1] !== ':') continue;
      if (letter === 'F') folder = value;
      else if (letter === 'R' && isLanguageFile(`${folder}/${value}`)) owns.push(`${folder}/${value}`);
      else fields[letter] ??= value;
    }
    const { P: name, V: version, o: origin, A: arch } = fields;
    if (!isPlausible(name, version)) continue;
    packages.push({
      kind: 'apk',
      name: name as string,
      version: version as string,
      source: origin || (name as string),
      sourceVersion: version as string,
      ...(arch ? { arch } : {}),
    });
  }
  return { packages, owns };
}
