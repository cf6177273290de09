import type { RegistryScanningRule, ScanningRepositoryFilter } from '@aws-sdk/client-ecr';

/** The registry's scanning configuration, as PutRegistryScanningConfiguration takes it. */
export interface ScanningConfiguration {
  readonly scanType: 'BASIC' | 'ENHANCED';
  readonly rules: readonly RegistryScanningRule[];
}

export type ScanFrequency = 'SCAN_ON_PUSH' | 'CONTINUOUS_SCAN' | 'MANUAL';

/** The name of the registry's document that holds it. */
export const scanningDocument = 'setting:scanning';

export function readConfiguration(text: string | undefined): ScanningConfiguration {
  return text === undefined ? { scanType: 'BASIC', rules: [] } : (JSON.parse(text) as ScanningConfiguration);
}

/** When a repository's images are scanned, and the filters that say so; a repository's own `scanOnPush` counts in basic scanning. */
export function frequencyOf(
  { scanType, rules }: ScanningConfiguration,
  repository: { readonly name: string; readonly scan_on_push: number },
): { readonly frequency: ScanFrequency; readonly filters: readonly ScanningRepositoryFilter[] } {
  const order: readonly ScanFrequency[] = ['CONTINUOUS_SCAN', 'SCAN_ON_PUSH', 'MANUAL'];
  for (const frequency of order) {
    const filters = rules
      .filter((rule) => rule.scanFrequency === frequency)
      .flatMap((rule) => rule.repositoryFilters ?? [])
      .filter(({ filter }) => matches(filter ?? '', repository.name));
    if (filters.length > 0 && frequency !== 'MANUAL') return { frequency, filters };
  }
  return { frequency: scanType === 'BASIC' && repository.scan_on_push === 1 ? 'SCAN_ON_PUSH' : 'MANUAL', filters: [] };
}

/** `*` stands for any text; a filter without one matches names that contain it (user guide, "Using filters"). */
function matches(filter: string, name: string): boolean {
  if (!filter.includes('*')) return name.includes(filter);
  const [first = '', ...rest] = filter.split('*');
  if (!name.startsWith(first)) return false;
  const last = rest.pop() ?? '';
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - at >= last.length && name.endsWith(last);
}

/** What is wrong with a configuration, as words for the caller; undefined where nothing is. */
export function configurationFlaw({ scanType, rules }: ScanningConfiguration): string | undefined {
  if (rules.length > 2) return 'a registry has at most two scanning rules';
  const frequencies = rules.map((rule) => rule.scanFrequency);
  if (new Set(frequencies).size < frequencies.length) return 'each scan frequency may have one rule';
  if (scanType === 'BASIC' && frequencies.includes('CONTINUOUS_SCAN'))
    return 'basic scanning has the scan frequencies SCAN_ON_PUSH and MANUAL';
  for (const { filter = '', filterType } of rules.flatMap((rule) => rule.repositoryFilters ?? [])) {
    if (filterType !== 'WILDCARD') return 'the filter type must be WILDCARD';
    if (!/^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$/.test(filter))
      return `the filter '${filter.slice(0, 100)}' is no pattern of repository names`;
  }
  return undefined;
}
