import type { VersionOrder } from '../versions/order.ts';
import { orderOf } from '../versions/orders.ts';
import { compareSemver } from '../versions/semver.ts';
import type { Advisory, Range, RangeEvent } from './model.ts';

export interface Verdict {
  readonly affected: boolean;
  /** The first version after the given one that is not affected. */
  readonly fixed?: string;
}

const unaffected: Verdict = { affected: false };

/**
 * Whether an advisory is about a version (ossf.github.io/osv-schema, "Evaluation"). A range without an `introduced` is about none, and so
 * is an advisory with neither ranges nor versions; versions that can't be compared match only by their very text.
 */
export function judge(advisory: Pick<Advisory, 'ecosystem' | 'ranges' | 'versions'>, version: string): Verdict {
  const order = orderOf(advisory.ecosystem);
  for (const range of advisory.ranges) {
    const rangeOrder = range.semver && advisory.ecosystem !== 'Go' ? compareSemver : order;
    const verdict = rangeOrder ? judgeRange(range, version, rangeOrder) : unaffected;
    if (verdict.affected) return verdict;
  }
  if (advisory.versions?.some((one) => one === version || order?.(one, version) === 0))
    return { affected: true, ...firstFix(advisory.ranges, version, order) };
  return unaffected;
}

function judgeRange({ events }: Range, version: string, order: VersionOrder): Verdict {
  if (Number.isNaN(order(version, version))) return unaffected;
  const limits = events.flatMap((event) => (event.limit === undefined ? [] : [event.limit]));
  if (limits.length > 0 && !limits.some((limit) => limit === '*' || order(version, limit) < 0)) return unaffected;
  let affected = false;
  const sorted = sortEvents(events, order);
  if (!sorted) return unaffected;
  let fixed: string | undefined;
  for (const event of sorted) {
    if (event.introduced !== undefined) {
      if (event.introduced === '0' || order(version, event.introduced) >= 0) {
        affected = true;
        fixed = undefined;
      }
    } else if (event.fixed !== undefined) {
      if (order(version, event.fixed) >= 0) affected = false;
      else if (affected) fixed ??= event.fixed;
    } else if (event.lastAffected !== undefined && order(version, event.lastAffected) > 0) affected = false;
  }
  return affected ? { affected, ...(fixed === undefined ? {} : { fixed }) } : unaffected;
}

/** By version; at the same one `introduced` stands first, so that what is fixed at once never counts. Undefined where one is no version. */
function sortEvents(events: readonly RangeEvent[], order: VersionOrder): readonly RangeEvent[] | undefined {
  const placed = events.filter((event) => event.limit === undefined);
  const versionOf = (event: RangeEvent) => event.introduced ?? event.fixed ?? event.lastAffected ?? '';
  for (const event of placed) {
    const version = versionOf(event);
    if (!(event.introduced === '0') && Number.isNaN(order(version, version))) return undefined;
  }
  return [...placed].sort((one, other) => {
    if (one.introduced === '0' || other.introduced === '0')
      return Number(other.introduced === '0') - Number(one.introduced === '0');
    return (
      order(versionOf(one), versionOf(other)) ||
      Number(other.introduced !== undefined) - Number(one.introduced !== undefined)
    );
  });
}

function firstFix(ranges: readonly Range[], version: string, order: VersionOrder | undefined): { fixed?: string } {
  if (!order) return {};
  const later = ranges
    .flatMap((range) => range.events)
    .flatMap((event) => (event.fixed !== undefined && order(event.fixed, version) > 0 ? [event.fixed] : []))
    .sort(order);
  return later[0] === undefined ? {} : { fixed: later[0] };
}

/** The versions of a list that no range covers: all that need be kept of it. */
export function beyondRanges(advisory: Advisory): readonly string[] {
  const ranges = { ecosystem: advisory.ecosystem, ranges: advisory.ranges };
  return (advisory.versions ?? []).filter((version) => !judge(ranges, version).affected);
}
