import type { Advisory, Statement } from './model.ts';
import { severityOfWord } from './ratings.ts';

type Json = Record<string, unknown>;

/** Debian's releases by code name (www.debian.org/releases). */
const debianReleases: Readonly<Record<string, string>> = {
  buster: '10',
  bullseye: '11',
  bookworm: '12',
  trixie: '13',
  forky: '14',
  duke: '15',
};

export function debianRelease(codename: string): string | undefined {
  return debianReleases[codename];
}

/**
 * One source package of Debian's security tracker (security-tracker.debian.org/tracker/data/json): by CVE and release, whether it is
 * affected and since when it is not. `undetermined` says nothing.
 */
export function parseDebianSource(source: string, value: unknown): Statement[] {
  const statements: Statement[] = [];
  for (const [cve, item] of Object.entries(object(value))) {
    const issue = object(item);
    for (const [codename, state] of Object.entries(object(issue.releases))) {
      const release = debianReleases[codename];
      const { status, fixed_version: fixed, urgency } = object(state);
      if (!release || (status !== 'open' && status !== 'resolved')) continue;
      const severity = severityOfWord(urgency);
      const advisory: Advisory = {
        ecosystem: `Debian:${release}`,
        name: source,
        id: cve,
        cves: [cve],
        authority: true,
        ranges: status === 'open' ? [{ events: [{ introduced: '0' }] }] : before(fixed),
        ...(severity ? { severity } : {}),
        ...(typeof issue.description === 'string' ? { description: issue.description.slice(0, 2000) } : {}),
        url: `https://security-tracker.debian.org/tracker/${encodeURIComponent(cve)}`,
      };
      statements.push({ advisory });
    }
  }
  return statements;
}

/**
 * Alpine's secdb (secdb.alpinelinux.org) of a release and repository: by source package, which version mended which CVE. Version `0`
 * says that the package was never affected.
 */
export function parseAlpineSecdb(value: unknown): Statement[] {
  const database = object(value);
  const { distroversion: release } = database;
  if (typeof release !== 'string') throw new Error('this is no secdb of Alpine: it has no distroversion');
  const ecosystem = /^v?\d/.test(release)
    ? `Alpine:${release.startsWith('v') ? release : `v${release}`}`
    : `Alpine:${release}`;
  const statements: Statement[] = [];
  for (const item of list(database.packages)) {
    const { name, secfixes } = object(object(item).pkg);
    if (typeof name !== 'string') continue;
    for (const [version, ids] of Object.entries(object(secfixes)))
      for (const line of list(ids)) {
        // An entry may name further numbers after the first: `CVE-2019-1 XSA-300`.
        const [id] = String(line).trim().split(/\s+/);
        if (!id) continue;
        statements.push({
          advisory: {
            ecosystem,
            name,
            id,
            cves: /^CVE-/.test(id) ? [id] : [],
            authority: true,
            ranges: before(version),
            url: `https://security.alpinelinux.org/vuln/${encodeURIComponent(id)}`,
          },
        });
      }
  }
  return statements;
}

function before(fixed: unknown): Advisory['ranges'] {
  return typeof fixed === 'string' && fixed !== '0' ? [{ events: [{ introduced: '0' }, { fixed }] }] : [];
}

/** CISA's catalogue of known exploited vulnerabilities (www.cisa.gov/known-exploited-vulnerabilities-catalog, JSON). */
export function parseKev(value: unknown): Statement[] {
  return list(object(value).vulnerabilities).flatMap((item): Statement[] => {
    const { cveID, dateAdded, dueDate, knownRansomwareCampaignUse } = object(item);
    if (typeof cveID !== 'string') return [];
    return [
      {
        overlay: {
          kind: 'kev',
          id: cveID,
          addedOn: String(dateAdded ?? ''),
          dueOn: String(dueDate ?? ''),
          ransomware: knownRansomwareCampaignUse === 'Known',
        },
      },
    ];
  });
}

/** One line of EPSS's CSV (www.first.org/epss/data_stats): CVE, probability, percentile. Undefined for headings. */
export function parseEpssLine(line: string): Statement | undefined {
  const [id = '', probability = '', percentile = ''] = line.trim().split(',');
  if (!/^CVE-\d{4}-\d+$/.test(id)) return undefined;
  const overlay = { kind: 'epss' as const, id, probability: Number(probability), percentile: Number(percentile) };
  return Number.isFinite(overlay.probability) && Number.isFinite(overlay.percentile) ? { overlay } : undefined;
}

function object(value: unknown): Json {
  return value !== null && typeof value === 'object' ? (value as Json) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
