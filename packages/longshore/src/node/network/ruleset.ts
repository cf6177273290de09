/** An nftables table as data, so that two of them can be compared and the difference said in one small transaction. */
export interface Ruleset {
  readonly table: string;
  readonly sets: ReadonlyMap<string, SetOf>;
  readonly chains: ReadonlyMap<string, Chain>;
}

/** A set, or with `values` a map: its elements by key. */
export interface SetOf {
  /** e.g. `type ipv4_addr : verdict`. */
  readonly type: string;
  readonly map: boolean;
  /** Key → value; the value is empty for a set. */
  readonly elements: ReadonlyMap<string, string>;
}

export interface Chain {
  /** The hook of a base chain, e.g. `type filter hook forward priority filter; policy drop`. */
  readonly base?: string;
  readonly rules: readonly string[];
}

/** Names that a table holds in the kernel, to find what is left over. */
export interface TableNames {
  readonly sets: readonly { readonly name: string; readonly map: boolean }[];
  readonly chains: readonly string[];
}

const element = (key: string, value: string): string => (value === '' ? key : `${key} : ${value}`);

/** nft reads long lines well; this only keeps single ones to a size that can be looked at. */
const perLine = 500;

function elementLines(verb: 'add' | 'delete', table: string, set: string, elements: readonly string[]): string[] {
  const lines: string[] = [];
  for (let start = 0; start < elements.length; start += perLine) {
    lines.push(`${verb} element ip ${table} ${set} { ${elements.slice(start, start + perLine).join(', ')} }`);
  }
  return lines;
}

const addChain = (table: string, name: string, chain: Chain): string =>
  `add chain ip ${table} ${name}${chain.base ? ` { ${chain.base}; }` : ''}`;

const addSet = (table: string, name: string, set: SetOf): string =>
  `add ${set.map ? 'map' : 'set'} ip ${table} ${name} { ${set.type}; }`;

function fillChain(table: string, name: string, chain: Chain): string[] {
  return [`flush chain ip ${table} ${name}`, ...chain.rules.map((rule) => `add rule ip ${table} ${name} ${rule}`)];
}

/**
 * One transaction that makes the table say exactly `wanted`, whatever it said before. Base chains are filled anew, not made
 * anew: a transaction takes effect at one moment, so no packet meets a table without them.
 */
export function whole(wanted: Ruleset, present: TableNames): string {
  const { table } = wanted;
  const lines = [`add table ip ${table}`];
  for (const [name, set] of wanted.sets) lines.push(addSet(table, name, set));
  for (const [name, chain] of wanted.chains) lines.push(addChain(table, name, chain));
  for (const { name, map } of present.sets) lines.push(`flush ${map ? 'map' : 'set'} ip ${table} ${name}`);
  for (const name of present.chains) lines.push(`flush chain ip ${table} ${name}`);
  for (const [name, chain] of wanted.chains) lines.push(...fillChain(table, name, chain));
  for (const [name, set] of wanted.sets) {
    lines.push(
      ...elementLines(
        'add',
        table,
        name,
        [...set.elements].map(([key, value]) => element(key, value)),
      ),
    );
  }
  for (const name of present.chains) if (!wanted.chains.has(name)) lines.push(`delete chain ip ${table} ${name}`);
  for (const { name, map } of present.sets) {
    if (!wanted.sets.has(name)) lines.push(`delete ${map ? 'map' : 'set'} ip ${table} ${name}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

const same = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((rule, index) => rule === other[index]);

/** One transaction that leads from `before` to `after`; empty where they say the same. */
export function difference(before: Ruleset, after: Ruleset): string {
  const { table } = after;
  const lines: string[] = [];
  for (const [name, set] of after.sets) if (!before.sets.has(name)) lines.push(addSet(table, name, set));
  for (const [name, chain] of after.chains) if (!before.chains.has(name)) lines.push(addChain(table, name, chain));
  for (const [name, chain] of after.chains) {
    if (!same(before.chains.get(name)?.rules ?? [], chain.rules)) lines.push(...fillChain(table, name, chain));
  }
  const added: string[] = [];
  for (const [name, set] of new Map([...before.sets, ...after.sets])) {
    const old = before.sets.get(name)?.elements ?? new Map<string, string>();
    const now = after.sets.has(name) ? set.elements : new Map<string, string>();
    const gone = [...old].filter(([key, value]) => now.get(key) !== value).map(([key]) => key);
    const come = [...now].filter(([key, value]) => old.get(key) !== value).map(([key, value]) => element(key, value));
    lines.push(...elementLines('delete', table, name, gone));
    added.push(...elementLines('add', table, name, come));
  }
  lines.push(...added);
  const chainsGone = [...before.chains.keys()].filter((name) => !after.chains.has(name));
  for (const name of chainsGone) lines.push(`flush chain ip ${table} ${name}`);
  for (const name of chainsGone) lines.push(`delete chain ip ${table} ${name}`);
  for (const [name, set] of before.sets) {
    if (!after.sets.has(name)) lines.push(`delete ${set.map ? 'map' : 'set'} ip ${table} ${name}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}
