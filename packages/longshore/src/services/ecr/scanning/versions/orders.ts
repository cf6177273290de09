import { compareApk } from './apk.ts';
import { compareDebian } from './debian.ts';
import { compareGem } from './gem.ts';
import { compareMaven } from './maven.ts';
import type { VersionOrder } from './order.ts';
import { comparePep440 } from './pep440.ts';
import { compareRpm } from './rpm.ts';
import { compareGo, compareSemver } from './semver.ts';

/** By OSV's name of the ecosystem, without what follows its first colon (ossf.github.io/osv-schema, "Defined ecosystems"). */
const orders: Readonly<Record<string, VersionOrder>> = {
  Debian: compareDebian,
  Ubuntu: compareDebian,
  Echo: compareDebian,
  Alpine: compareApk,
  Wolfi: compareApk,
  Chainguard: compareApk,
  MinimOS: compareApk,
  'Red Hat': compareRpm,
  'Rocky Linux': compareRpm,
  AlmaLinux: compareRpm,
  'Oracle Linux': compareRpm,
  'Amazon Linux': compareRpm,
  Fedora: compareRpm,
  SUSE: compareRpm,
  openSUSE: compareRpm,
  openEuler: compareRpm,
  Mageia: compareRpm,
  'Photon OS': compareRpm,
  'Azure Linux': compareRpm,
  npm: compareSemver,
  Go: compareGo,
  'crates.io': compareSemver,
  PyPI: comparePep440,
  Maven: compareMaven,
  RubyGems: compareGem,
};

/** The order of an ecosystem's versions; undefined for one that we know none of. */
export function orderOf(ecosystem: string): VersionOrder | undefined {
  return orders[ecosystem.split(':', 1)[0] ?? ''];
}
