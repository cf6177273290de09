import { createHash } from 'node:crypto';
import type { Inventory, OperatingSystem, Package } from '../inventory.ts';

export const sbomMediaType = 'application/vnd.cyclonedx+json';

/**
 * The bill of materials of an image (CycloneDX 1.6, JSON). The same image has the same text whenever it is made, and so the same digest:
 * it bears no time, and its serial number is made of the image's digest.
 */
export function cyclonedx(
  inventory: Inventory,
  image: { readonly repository: string; readonly digest: string },
): string {
  const imageRef = `pkg:oci/${encodeURIComponent(image.repository.split('/').at(-1) ?? '')}@${encodeURIComponent(image.digest)}`;
  const components = new Map<string, object>();
  for (const one of inventory.packages) {
    const purl = purlOf(one, inventory.os);
    const ref = `${purl}#${createHash('sha256').update(`${one.layer}\n${one.path}`).digest('hex').slice(0, 16)}`;
    const { group, name } = nameOf(one);
    components.set(ref, {
      type: 'library',
      'bom-ref': ref,
      ...(group === undefined ? {} : { group }),
      name,
      version: one.version,
      purl,
      evidence: { occurrences: [{ location: `/${one.path}` }] },
      properties: [
        { name: 'longshore:layer', value: one.layer },
        ...(one.source && one.source !== one.name ? [{ name: 'longshore:source', value: one.source }] : []),
      ],
    });
  }
  const { os } = inventory;
  const system = os && {
    type: 'operating-system',
    'bom-ref': `os:${os.id}-${os.versionId}`,
    name: os.id,
    version: os.versionId,
    description: os.name,
  };
  const refs = [...(system ? [system['bom-ref']] : []), ...components.keys()];
  return JSON.stringify({
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(`${image.repository}@${image.digest}`)}`,
    version: 1,
    metadata: {
      tools: { components: [{ type: 'application', name: 'longshore' }] },
      component: {
        type: 'container',
        'bom-ref': imageRef,
        name: image.repository,
        version: image.digest,
        purl: imageRef,
      },
    },
    components: [...(system ? [system] : []), ...components.values()],
    dependencies: [{ ref: imageRef, dependsOn: refs }],
  });
}

function nameOf({ kind, name }: Package): { group?: string; name: string } {
  const [group, artifact] =
    kind === 'maven' ? splitAt(name, ':') : kind === 'npm' ? splitAt(name, '/') : [undefined, name];
  return { ...(group === undefined ? {} : { group }), name: artifact };
}

function splitAt(text: string, separator: string): [string | undefined, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [undefined, text] : [text.slice(0, at), text.slice(at + 1)];
}

/** A package URL (github.com/package-url/purl-spec). */
export function purlOf(one: Package, os: OperatingSystem | undefined): string {
  const encode = (text: string) => encodeURIComponent(text).replaceAll('%3A', ':');
  const path = (text: string) => text.split('/').map(encode).join('/');
  const version = `@${encode(one.version)}`;
  switch (one.kind) {
    case 'deb':
    case 'apk':
    case 'rpm': {
      const [, epoch, rest] = /^(?:(\d+):)?(.*)$/s.exec(one.version) ?? [];
      const qualifiers = {
        ...(one.arch ? { arch: one.arch } : {}),
        ...(os ? { distro: `${os.id}-${os.versionId || os.codename}` } : {}),
        ...(epoch && one.kind === 'rpm' ? { epoch } : {}),
      };
      const query = Object.entries(qualifiers)
        .map(([key, value]) => `${key}=${encode(value)}`)
        .join('&');
      const shown = one.kind === 'rpm' ? `@${encode(rest ?? '')}` : version;
      return `pkg:${one.kind}/${encode(os?.id ?? 'unknown')}/${encode(one.name)}${shown}${query ? `?${query}` : ''}`;
    }
    case 'maven':
      return `pkg:maven/${one.name.split(':').map(encode).join('/')}${version}`;
    default:
      return `pkg:${one.kind}/${path(one.name)}${version}`;
  }
}

function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
