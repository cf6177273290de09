/** From worst to least, as ECR counts them. */
export const severities = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFORMATIONAL', 'UNDEFINED'] as const;
export type Severity = (typeof severities)[number];

export interface Score {
  /** `2.0`, `3.0`, `3.1` or `4.0`. */
  readonly version: string;
  readonly vector: string;
  readonly score: number;
}

/** One turn of a range: exactly one member is there (ossf.github.io/osv-schema, "affected[].ranges[].events"). */
export interface RangeEvent {
  readonly introduced?: string;
  readonly fixed?: string;
  readonly lastAffected?: string;
  readonly limit?: string;
}

export interface Range {
  /** Versions are compared as semantic ones, whatever the ecosystem. */
  readonly semver?: true;
  readonly events: readonly RangeEvent[];
}

/** What an advisory says of one package of one ecosystem. */
export interface Advisory {
  /** OSV's name, with the release for distributions: `npm`, `Debian:12`, `Alpine:v3.19`. */
  readonly ecosystem: string;
  /** As `packageKey` writes it. */
  readonly name: string;
  readonly id: string;
  /** CVE numbers; an advisory may have none, or many. */
  readonly cves: readonly string[];
  readonly ranges: readonly Range[];
  /** Versions that are affected beside those in the ranges. */
  readonly versions?: readonly string[];
  /** The distribution's own word on this CVE, which outranks what others say of its packages; also where it says: not affected. */
  readonly authority?: true;
  readonly severity?: Severity;
  readonly scores?: readonly Score[];
  readonly title?: string;
  readonly description?: string;
  readonly url?: string;
  readonly references?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly publishedAt?: number;
  readonly modifiedAt?: number;
}

/** What is known of a CVE beside the packages: that it is exploited (KEV), how likely that is (EPSS), how bad it is (CVSS). */
export type Overlay =
  | {
      readonly kind: 'kev';
      readonly id: string;
      readonly addedOn: string;
      readonly dueOn: string;
      readonly ransomware: boolean;
    }
  | { readonly kind: 'epss'; readonly id: string; readonly probability: number; readonly percentile: number }
  | { readonly kind: 'cvss'; readonly id: string; readonly scores: readonly Score[]; readonly severity?: Severity };

/** One thing that a source of advisories says. */
export type Statement = { readonly advisory: Advisory } | { readonly overlay: Overlay };

export const formats = ['osv', 'debian', 'alpine', 'kev', 'epss'] as const;
export type Format = (typeof formats)[number];

/** How a package is looked up: PyPI's names are normalised (packaging.python.org, "Names and normalization"). */
export function packageKey(ecosystem: string, name: string): string {
  return ecosystem === 'PyPI' ? name.toLowerCase().replace(/[-_.]+/g, '-') : name;
}

export function worse(one: Severity, other: Severity): Severity {
  return severities.indexOf(one) <= severities.indexOf(other) ? one : other;
}
