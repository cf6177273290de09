/** What a scan finds in an image before anything is known of its weaknesses. Names are those of package URLs (purl-spec). */
export type PackageKind = 'deb' | 'apk' | 'rpm' | 'npm' | 'pypi' | 'golang' | 'maven' | 'gem';

export interface FoundPackage {
  readonly kind: PackageKind;
  /** As the ecosystem writes it: `group:artifact` for Maven, the module's path for Go. */
  readonly name: string;
  readonly version: string;
  /** The source package and its version, where the distribution builds several packages from one. */
  readonly source?: string;
  readonly sourceVersion?: string;
  readonly arch?: string;
}

export interface Package extends FoundPackage {
  /** Digest of the layer that brought this version. */
  readonly layer: string;
  /** The file that says so, without a leading slash; `a.jar!/b.jar` for a jar in a jar. */
  readonly path: string;
}

/** Of os-release(5). */
export interface OperatingSystem {
  readonly id: string;
  readonly versionId: string;
  readonly codename: string;
  readonly name: string;
}

export interface Inventory {
  readonly os?: OperatingSystem;
  readonly packages: readonly Package[];
  /** Files that could not be read as what they claim to be, with the reason; at most a few hundred. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/** What one file of an image says. */
export interface FileFacts {
  readonly packages?: readonly (FoundPackage & { readonly within?: string })[];
  readonly os?: OperatingSystem;
  /** Paths that a package of the distribution owns: language packages there are the distribution's, not their own. */
  readonly owns?: readonly string[];
}

/** Longer names and versions are nonsense, and would let an image fill memory and database. */
export const longestName = 512;

export function isPlausible(name: unknown, version: unknown): boolean {
  return (
    typeof name === 'string' &&
    typeof version === 'string' &&
    name !== '' &&
    version !== '' &&
    name.length <= longestName &&
    version.length <= longestName
  );
}
