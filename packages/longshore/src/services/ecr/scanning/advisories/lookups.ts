import type { OperatingSystem, Package } from '../inventory.ts';
import { debianRelease } from './distributions.ts';
import { packageKey } from './model.ts';

/** Under what a package is looked up in advisories, and the version that these speak of. */
export interface Lookup {
  /** Names that publishers use for the same ecosystem. */
  readonly ecosystems: readonly string[];
  readonly names: readonly string[];
  readonly version: string;
}

const languages: Readonly<Record<string, string>> = {
  npm: 'npm',
  pypi: 'PyPI',
  golang: 'Go',
  maven: 'Maven',
  gem: 'RubyGems',
};

/** Undefined for a package of a distribution that no advisories are published for in OSV's scheme. */
export function lookupOf(found: Package, os: OperatingSystem | undefined): Lookup | undefined {
  const language = languages[found.kind];
  if (language) return { ecosystems: [language], names: [packageKey(language, found.name)], version: found.version };
  const ecosystems = os ? ecosystemsOf(os) : [];
  if (ecosystems.length === 0) return undefined;
  // Debian, Ubuntu and Alpine publish by source package, RPM's distributions by binary package.
  if (found.kind === 'rpm') return { ecosystems, names: [found.name], version: found.version };
  const source = found.source ?? found.name;
  return {
    ecosystems,
    names: found.kind === 'apk' && source !== found.name ? [source, found.name] : [source],
    version: found.sourceVersion ?? found.version,
  };
}

/** OSV's names for a release of a distribution (ossf.github.io/osv-schema, "Defined ecosystems"). */
export function ecosystemsOf({ id, versionId, codename }: OperatingSystem): readonly string[] {
  const major = versionId.split('.')[0] ?? '';
  switch (id) {
    case 'debian': {
      const release = major || debianRelease(codename);
      return release ? [`Debian:${release}`] : [];
    }
    case 'ubuntu':
      return versionId === '' ? [] : [`Ubuntu:${versionId}:LTS`, `Ubuntu:${versionId}`];
    case 'alpine': {
      const [, release] = /^(\d+\.\d+)/.exec(versionId) ?? [];
      return release ? [`Alpine:v${release}`] : ['Alpine:edge'];
    }
    case 'wolfi':
      return ['Wolfi'];
    case 'chainguard':
      return ['Chainguard', 'Wolfi'];
    case 'rhel':
      return [`Red Hat:${major}`];
    case 'rocky':
      return [`Rocky Linux:${major}`];
    case 'almalinux':
      return [`AlmaLinux:${major}`];
    case 'ol':
      return [`Oracle Linux:${major}`];
    case 'amzn':
      return [`Amazon Linux:${major}`];
    case 'fedora':
      return [`Fedora:${major}`];
    case 'opensuse-leap':
      return [`openSUSE:Leap ${versionId}`];
    case 'opensuse-tumbleweed':
      return ['openSUSE:Tumbleweed'];
    case 'sles':
      return [`SUSE:Linux Enterprise Server ${versionId.replace('.', ' SP')}`];
    case 'photon':
      return [`Photon OS:${versionId}`];
    case 'azurelinux':
    case 'mariner':
      return [`Azure Linux:${major}`];
    case 'mageia':
      return [`Mageia:${major}`];
    case 'openeuler':
      return [`openEuler:${versionId}`];
    default:
      return [];
  }
}
