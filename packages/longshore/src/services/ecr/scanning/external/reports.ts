import type { Score, Severity } from '../advisories/model.ts';
import { severityOfWord } from '../advisories/ratings.ts';
import { scoreOf } from '../advisories/scores.ts';
import { type Finding, sortFindings } from '../findings.ts';
import type { PackageKind } from '../inventory.ts';

type Json = Record<string, unknown>;

const kinds: Readonly<Record<string, PackageKind>> = {
  debian: 'deb',
  ubuntu: 'deb',
  deb: 'deb',
  alpine: 'apk',
  wolfi: 'apk',
  apk: 'apk',
  'node-pkg': 'npm',
  npm: 'npm',
  yarn: 'npm',
  pnpm: 'npm',
  'python-pkg': 'pypi',
  pip: 'pypi',
  poetry: 'pypi',
  python: 'pypi',
  gobinary: 'golang',
  gomod: 'golang',
  'go-module': 'golang',
  jar: 'maven',
  pom: 'maven',
  'java-archive': 'maven',
  gemspec: 'gem',
  bundler: 'gem',
  gem: 'gem',
};

/** The findings of a Trivy (`--format json`) or Grype (`-o json`) report. Throws where it is neither. */
export function parseReport(text: string): Finding[] {
  const report = object(JSON.parse(text));
  if (Array.isArray(report.matches)) return sortFindings(report.matches.flatMap((item) => fromGrype(object(item))));
  if (report.SchemaVersion !== undefined || Array.isArray(report.Results))
    return sortFindings(list(report.Results).flatMap((item) => fromTrivy(object(item))));
  throw new Error('the external scanner printed neither a report of Trivy nor one of Grype');
}

/** github.com/aquasecurity/trivy, "Reporting": JSON. */
function fromTrivy(result: Json): Finding[] {
  return list(result.Vulnerabilities).flatMap((item): Finding[] => {
    const one = object(item);
    const { VulnerabilityID: id, PkgName: name, InstalledVersion: version } = one;
    if (typeof id !== 'string' || typeof name !== 'string' || typeof version !== 'string') return [];
    const layer = object(one.Layer);
    const scores = Object.values(object(one.CVSS)).flatMap((value) => {
      const { V3Vector, V40Vector } = object(value);
      return [V3Vector, V40Vector].flatMap((vector) => scored(vector));
    });
    return [
      {
        ...common(id, name, version, one.Severity, scores),
        kind: kinds[String(result.Type)] ?? 'deb',
        packages: [
          {
            name,
            version,
            path: text(one.PkgPath) ?? text(result.Target) ?? '',
            layer: text(layer.Digest) ?? text(layer.DiffID) ?? '',
          },
        ],
        source: 'Trivy',
        ...optional('fixed', text(one.FixedVersion)),
        ...optional('title', text(one.Title)),
        ...optional('description', text(one.Description)),
        ...optional('url', text(one.PrimaryURL)),
        ...optional('publishedAt', time(one.PublishedDate)),
        ...optional('modifiedAt', time(one.LastModifiedDate)),
      },
    ];
  });
}

/** github.com/anchore/grype, "Output formats": json. */
function fromGrype(match: Json): Finding[] {
  const weakness = object(match.vulnerability);
  const artifact = object(match.artifact);
  const { name, version } = artifact;
  if (typeof weakness.id !== 'string' || typeof name !== 'string' || typeof version !== 'string') return [];
  const related = list(match.relatedVulnerabilities).map((item) => object(item).id);
  const cve = [weakness.id, ...related].find((id) => typeof id === 'string' && id.startsWith('CVE-')) as
    | string
    | undefined;
  const place = object(list(artifact.locations)[0]);
  const fix = object(weakness.fix);
  const scores = list(weakness.cvss).flatMap((item) => scored(object(item).vector));
  return [
    {
      ...common(cve ?? weakness.id, name, version, weakness.severity, scores),
      advisories: [weakness.id],
      kind: kinds[String(artifact.type)] ?? 'deb',
      packages: [
        { name, version, path: (text(place.path) ?? '').replace(/^\//, ''), layer: text(place.layerID) ?? '' },
      ],
      source: 'Grype',
      ...optional('fixed', text(list(fix.versions)[0])),
      ...optional('description', text(weakness.description)),
      ...optional('url', text(weakness.dataSource)),
    },
  ];
}

function common(id: string, name: string, version: string, word: unknown, scores: readonly Score[]) {
  const severity: Severity = severityOfWord(word) ?? 'UNDEFINED';
  return {
    id,
    name,
    version,
    severity,
    scores: [...new Map(scores.map((score) => [score.vector, score])).values()],
    advisories: [id],
  };
}

function scored(vector: unknown): Score[] {
  const score = typeof vector === 'string' ? scoreOf(vector) : undefined;
  return score ? [score] : [];
}

function object(value: unknown): Json {
  return value !== null && typeof value === 'object' ? (value as Json) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, 2000) : undefined;
}

function time(value: unknown): number | undefined {
  const parsed = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { [name in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { [name in Name]?: T };
}
