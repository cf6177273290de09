import { type FileFacts, type FoundPackage, isPlausible } from '../inventory.ts';
import { bufferSource, zipContent, zipEntries } from './zip.ts';

type Found = FoundPackage & { within?: string };

const deepest = 4;
const mostEntries = 200_000;
const mostBytes = 256 * 1024 * 1024;
const mostText = 1024 * 1024;

/**
 * Java archives (jar, war, ear), also those within: Maven's own `pom.properties` name what is inside, shaded jars included; without one
 * the manifest or the file's name does. Expands at most 256 MiB, four archives deep. Throws ZipFlaw.
 */
export function parseJar(file: Buffer, path: string): FileFacts {
  const budget = { bytes: mostBytes };
  return { packages: readJar(file, path.split('/').at(-1) ?? path, '', 0, budget) };
}

function readJar(file: Buffer, fileName: string, within: string, depth: number, budget: { bytes: number }): Found[] {
  const source = bufferSource(file);
  const found: Found[] = [];
  let manifest = '';
  for (const entry of zipEntries(source, mostEntries)) {
    const { name } = entry;
    const isPom = name.startsWith('META-INF/maven/') && name.endsWith('/pom.properties');
    const isManifest = name === 'META-INF/MANIFEST.MF';
    const isArchive = /\.(jar|war|ear)$/i.test(name);
    if (!isPom && !isManifest && !isArchive) continue;
    if (isArchive && depth + 1 >= deepest) continue;
    const content = zipContent(source, entry, isArchive ? budget.bytes : Math.min(mostText, budget.bytes));
    budget.bytes -= content.length;
    if (isArchive) {
      const inner = `${within}!/${name}`;
      found.push(...readJar(content, name.split('/').at(-1) ?? name, inner, depth + 1, budget));
    } else if (isManifest) manifest = content.toString('utf8');
    else found.push(...fromPomProperties(content.toString('utf8'), within));
  }
  const isOwn = (one: Found) => (one.within ?? '') === within;
  if (found.some(isOwn)) return found;
  return [...found, ...fromManifest(manifest, fileName, within)];
}

function fromPomProperties(text: string, within: string): Found[] {
  const value = (name: string) => new RegExp(`^[ \\t]*${name}[ \\t]*[=:][ \\t]*(\\S+)`, 'm').exec(text)?.[1];
  return found(value('groupId'), value('artifactId'), value('version'), within);
}

/** Without a group the name is the artifact's alone, and no advisory will know it. */
function fromManifest(text: string, fileName: string, within: string): Found[] {
  const main = text.replace(/\r?\n /g, '').split(/\r?\n\r?\n/, 1)[0] ?? '';
  const header = (name: string) => new RegExp(`^${name}:([^;\\r\\n]+)`, 'im').exec(main)?.[1]?.trim();
  const [, fileArtifact, fileVersion] = /^(.+?)-(\d[\w.-]*)\.[jwe]ar$/i.exec(fileName) ?? [];
  const vendor = header('Implementation-Vendor-Id');
  const bundle = header('Bundle-SymbolicName');
  const artifact = fileArtifact ?? bundle ?? header('Implementation-Title');
  const version = fileVersion ?? header('Implementation-Version') ?? header('Bundle-Version');
  const group =
    vendor ?? (bundle?.endsWith(`.${artifact}`) ? bundle.slice(0, -(artifact as string).length - 1) : undefined);
  return found(group, artifact, version, within);
}

function found(
  group: string | undefined,
  artifact: string | undefined,
  version: string | undefined,
  within: string,
): Found[] {
  if (!isPlausible(artifact, version)) return [];
  const name = group ? `${group}:${artifact}` : (artifact as string);
  if (!isPlausible(name, version)) return [];
  return [{ kind: 'maven', name, version: version as string, ...(within === '' ? {} : { within }) }];
}
