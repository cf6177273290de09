import { type Lookup, lookupOf } from './advisories/lookups.ts';
import { judge } from './advisories/match.ts';
import { type Advisory, type Overlay, type Score, type Severity, severities, worse } from './advisories/model.ts';
import { preferredScore, ratingOf } from './advisories/ratings.ts';
import type { Inventory, Package, PackageKind } from './inventory.ts';

/** A weakness of one package of an image. */
export interface Finding {
  /** A CVE where there is one. */
  readonly id: string;
  readonly severity: Severity;
  readonly kind: PackageKind;
  /** What the advisory names: for some distributions the source package. */
  readonly name: string;
  readonly version: string;
  readonly fixed?: string;
  /** Where it was found, at most fifty places. */
  readonly packages: readonly Pick<Package, 'name' | 'version' | 'arch' | 'path' | 'layer'>[];
  /** Who says so: an ecosystem, or an external scanner. */
  readonly source: string;
  readonly advisories: readonly string[];
  readonly scores: readonly Score[];
  readonly title?: string;
  readonly description?: string;
  readonly url?: string;
  readonly references?: readonly string[];
  readonly publishedAt?: number;
  readonly modifiedAt?: number;
  /** Known to be exploited: the day that CISA listed it. */
  readonly exploitedSince?: string;
  readonly epss?: { readonly probability: number; readonly percentile: number };
}

const mostPlaces = 50;

/** The (ecosystem, name) pairs that advisories are needed for. */
export function keysOf(inventory: Inventory): { ecosystem: string; name: string }[] {
  const keys = new Map<string, { ecosystem: string; name: string }>();
  for (const one of inventory.packages) {
    const lookup = lookupOf(one, inventory.os);
    for (const ecosystem of lookup?.ecosystems ?? [])
      for (const name of lookup?.names ?? []) keys.set(`${ecosystem}\n${name}`, { ecosystem, name });
  }
  return [...keys.values()];
}

/** Ecosystems of an image's packages for which there are no advisories at all, as words. */
export function uncovered(inventory: Inventory, known: ReadonlySet<string>): { system?: string; languages: string[] } {
  const languages = new Set<string>();
  let system: string | undefined;
  for (const one of inventory.packages) {
    const lookup = lookupOf(one, inventory.os);
    if (lookup?.ecosystems.some((ecosystem) => known.has(ecosystem))) continue;
    if (one.kind === 'deb' || one.kind === 'rpm' || one.kind === 'apk')
      system ??= lookup?.ecosystems[0] ?? (inventory.os ? inventory.os.name : `packages of ${one.kind}`);
    else languages.add(lookup?.ecosystems[0] ?? one.kind);
  }
  return { ...(system === undefined ? {} : { system }), languages: [...languages].sort() };
}

interface Draft {
  readonly id: string;
  readonly lookup: Lookup;
  readonly kind: PackageKind;
  readonly name: string;
  readonly packages: Package[];
  readonly advisories: Map<string, { readonly advisory: Advisory; readonly fixed: string | undefined }>;
}

/** What advisories say of an image. `advisoriesOf` answers those of one ecosystem and name. */
export function draftFindings(
  inventory: Inventory,
  advisoriesOf: (ecosystem: string, name: string) => readonly Advisory[],
): readonly Draft[] {
  const drafts = new Map<string, Draft>();
  const judged = new Map<string, Map<string, Draft['advisories']>>();
  for (const one of inventory.packages) {
    const lookup = lookupOf(one, inventory.os);
    if (!lookup) continue;
    const place = `${lookup.ecosystems[0]}\n${lookup.names.join('\n')}\n${lookup.version}`;
    let weaknesses = judged.get(place);
    if (!weaknesses) {
      const all = lookup.ecosystems.flatMap((ecosystem) =>
        lookup.names.flatMap((name) => advisoriesOf(ecosystem, name)),
      );
      weaknesses = weaknessesOf(all, lookup.version);
      judged.set(place, weaknesses);
    }
    for (const [id, advisories] of weaknesses) {
      const key = `${id}\n${one.kind}\n${place}`;
      const draft = drafts.get(key);
      if (draft) draft.packages.push(one);
      else
        drafts.set(key, { id, lookup, kind: one.kind, name: lookup.names[0] ?? one.name, packages: [one], advisories });
    }
  }
  return [...drafts.values()];
}

/** By CVE (or the advisory's own number) those that say that the version is affected; a distribution's own word decides alone. */
function weaknessesOf(advisories: readonly Advisory[], version: string): Map<string, Draft['advisories']> {
  const byId = new Map<string, Advisory[]>();
  for (const advisory of advisories)
    for (const id of advisory.cves.length > 0 ? advisory.cves : [advisory.id]) {
      const said = byId.get(id);
      if (said) said.push(advisory);
      else byId.set(id, [advisory]);
    }
  const weaknesses = new Map<string, Draft['advisories']>();
  for (const [id, said] of byId) {
    const authorities = said.filter((advisory) => advisory.authority);
    const affected: Draft['advisories'] = new Map();
    for (const advisory of authorities.length > 0 ? authorities : said) {
      const verdict = judge(advisory, version);
      if (verdict.affected) affected.set(advisory.id, { advisory, fixed: verdict.fixed });
    }
    if (affected.size > 0) weaknesses.set(id, affected);
  }
  return weaknesses;
}

/** Findings with what is known of their CVEs beside, the worst first. */
export function finishFindings(drafts: readonly Draft[], overlays: readonly Overlay[]): Finding[] {
  const byId = new Map<string, Overlay[]>();
  for (const overlay of overlays) byId.set(overlay.id, [...(byId.get(overlay.id) ?? []), overlay]);
  return sortFindings(drafts.map((draft) => finish(draft, byId.get(draft.id) ?? [])));
}

export function sortFindings(findings: Finding[]): Finding[] {
  const score = (finding: Finding) => preferredScore(finding.scores)?.score ?? 0;
  return findings.sort(
    (one, other) =>
      severities.indexOf(one.severity) - severities.indexOf(other.severity) ||
      Number(other.exploitedSince !== undefined) - Number(one.exploitedSince !== undefined) ||
      score(other) - score(one) ||
      (one.id < other.id ? 1 : one.id > other.id ? -1 : one.name < other.name ? -1 : 1),
  );
}

function finish(draft: Draft, overlays: readonly Overlay[]): Finding {
  const said = [...draft.advisories.values()];
  const advisories = said.map((one) => one.advisory);
  const cvss = overlays.filter((overlay) => overlay.kind === 'cvss');
  const kev = overlays.find((overlay) => overlay.kind === 'kev');
  const epss = overlays.find((overlay) => overlay.kind === 'epss');
  const scores = distinctScores([...advisories, ...cvss].flatMap((one) => one.scores ?? []));
  const words = advisories.flatMap((advisory) => advisory.severity ?? []);
  const score = preferredScore(scores);
  const severity =
    words.length > 0
      ? words.reduce(worse)
      : score
        ? ratingOf(score.score)
        : (cvss[0]?.severity ?? ('UNDEFINED' as const));
  const first = <T>(pick: (advisory: Advisory) => T | undefined) =>
    advisories.map(pick).find((value) => value !== undefined);
  const fixed = said.map((one) => one.fixed).find((version) => version !== undefined);
  const [shown] = advisories;
  const optional = {
    fixed,
    title: first((advisory) => advisory.title),
    description: first((advisory) => advisory.description),
    url: first((advisory) => advisory.url),
    references: first((advisory) => advisory.references),
    publishedAt: first((advisory) => advisory.publishedAt),
    modifiedAt: first((advisory) => advisory.modifiedAt),
    exploitedSince: kev?.addedOn,
    epss: epss && { probability: epss.probability, percentile: epss.percentile },
  };
  return {
    id: draft.id,
    severity,
    kind: draft.kind,
    name: draft.name,
    version: draft.lookup.version,
    packages: draft.packages.slice(0, mostPlaces).map(({ name, version, arch, path, layer }) => ({
      name,
      version,
      ...(arch === undefined ? {} : { arch }),
      path,
      layer,
    })),
    source: shown?.ecosystem ?? '',
    advisories: advisories.map((advisory) => advisory.id),
    scores,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<Finding>),
  };
}

function distinctScores(scores: readonly Score[]): Score[] {
  return [...new Map(scores.map((score) => [score.vector, score])).values()];
}

/** How many findings there are of each severity; those of which there are none are left out. */
export function countSeverities(findings: readonly Pick<Finding, 'severity'>[]): Partial<Record<Severity, number>> {
  const counts: Partial<Record<Severity, number>> = {};
  for (const { severity } of findings) counts[severity] = (counts[severity] ?? 0) + 1;
  return counts;
}
