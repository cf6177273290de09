import { beyondRanges } from './match.ts';
import { type Advisory, packageKey, type Range, type RangeEvent, type Score, type Statement } from './model.ts';
import { severityOfWord } from './ratings.ts';
import { scoreOf } from './scores.ts';

type Json = Record<string, unknown>;

const mostText = 2000;
const isCve = (id: string) => /^CVE-\d{4}-\d{4,}$/.test(id);
/** Distributions name the CVEs that an advisory mends as related; elsewhere related ones are others. */
const distributions = /^(RLSA|ALSA|ALBA|RHSA|RHBA|SUSE|openSUSE|MGASA|OESA|PHSA|ELSA|DSA|DLA|USN)-/;

/**
 * What an OSV record says (ossf.github.io/osv-schema, 1.7): one advisory for each package, and the CVEs' scores. A withdrawn record says
 * nothing. Throws where the value is no OSV record.
 */
export function parseOsv(value: unknown): Statement[] {
  const record = object(value);
  if (typeof record.id !== 'string') throw new Error('this is no OSV record: it has no id');
  if (record.withdrawn) return [];
  const { id } = record;
  const named = [id, ...texts(record.aliases), ...texts(record.upstream)];
  if (distributions.test(id)) named.push(...texts(record.related));
  const cves = [...new Set(named.filter(isCve))];
  const scores = readScores(record.severity);
  const word = severityOfWord(object(record.database_specific).severity);
  const common = {
    id,
    cves,
    ...optional('title', text(record.summary, 300)),
    ...optional('description', text(record.details, mostText)),
    ...referencesOf(record, id),
    ...optional('publishedAt', time(record.published)),
    ...optional('modifiedAt', time(record.modified)),
  };
  const statements: Statement[] = [];
  for (const item of list(record.affected)) {
    const affected = object(item);
    const { ecosystem, name } = object(affected.package);
    if (typeof ecosystem !== 'string' || typeof name !== 'string') continue;
    const own = readScores(affected.severity);
    const severity =
      severityOfWord(object(affected.ecosystem_specific).severity) ??
      severityOfWord(object(affected.ecosystem_specific).urgency) ??
      word ??
      (id.startsWith('MAL-') ? 'CRITICAL' : undefined);
    const counted = own.length > 0 ? own : scores;
    const place = normalEcosystem(ecosystem);
    const advisory: Advisory = {
      ecosystem: place,
      name: packageKey(place, name),
      ...common,
      ranges: list(affected.ranges).flatMap((range) => readRange(object(range))),
      versions: texts(affected.versions),
      ...optional('severity', severity),
      ...(counted.length > 0 ? { scores: counted } : {}),
    };
    const versions = beyondRanges(advisory);
    if (advisory.ranges.length > 0 || versions.length > 0) statements.push({ advisory: { ...advisory, versions } });
  }
  if (scores.length > 0 && cves.length === 1)
    statements.push({
      overlay: { kind: 'cvss', id: cves[0] as string, scores, ...optional('severity', word) },
    });
  return statements;
}

/** `Red Hat:enterprise_linux:9::baseos` and its like are one system for a scan: `Red Hat:9`. */
function normalEcosystem(ecosystem: string): string {
  const major = /^Red Hat:(?:enterprise_linux|rhel_[a-z]+):(\d+)/.exec(ecosystem)?.[1];
  return major ? `Red Hat:${major}` : ecosystem;
}

/** Ranges over commits say nothing of versions; without an `introduced` a range is about none. */
function readRange(range: Json): Range[] {
  if (range.type !== 'SEMVER' && range.type !== 'ECOSYSTEM') return [];
  const events = list(range.events).flatMap((item): RangeEvent[] => {
    const event = object(item);
    if (typeof event.introduced === 'string') return [{ introduced: event.introduced }];
    if (typeof event.fixed === 'string') return [{ fixed: event.fixed }];
    if (typeof event.last_affected === 'string') return [{ lastAffected: event.last_affected }];
    return typeof event.limit === 'string' ? [{ limit: event.limit }] : [];
  });
  if (!events.some((event) => event.introduced !== undefined)) return [];
  return [{ ...(range.type === 'SEMVER' ? { semver: true as const } : {}), events }];
}

function readScores(value: unknown): Score[] {
  return list(value).flatMap((item) => {
    const { type, score } = object(item);
    const found =
      typeof type === 'string' && type.startsWith('CVSS') && typeof score === 'string' ? scoreOf(score) : undefined;
    return found ? [found] : [];
  });
}

function referencesOf(record: Json, id: string): Pick<Advisory, 'url' | 'references'> {
  const references = list(record.references)
    .map((item) => object(item).url)
    .filter((url): url is string => typeof url === 'string' && /^https?:\/\//.test(url) && url.length < 500)
    .slice(0, 10);
  return { url: `https://osv.dev/vulnerability/${encodeURIComponent(id)}`, references };
}

function object(value: unknown): Json {
  return value !== null && typeof value === 'object' ? (value as Json) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function texts(value: unknown): string[] {
  return list(value).filter((item): item is string => typeof item === 'string');
}

function text(value: unknown, most: number): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, most) : undefined;
}

function time(value: unknown): number | undefined {
  const parsed = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { [name in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { [name in Name]?: T };
}
