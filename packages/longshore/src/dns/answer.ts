import type { Packet } from 'dns-packet';
import type { NamesDocument } from '../protocol/documents.ts';

/** Our names, lower case and without the last dot. */
export type Records = ReadonlyMap<string, { readonly ttlSeconds: number; readonly addresses: readonly string[] }>;

/** Records by name, lower case and without the last dot. */
export function recordsOf(document: NamesDocument): Records {
  return new Map(
    document.records.map(({ name, ttlSeconds, addresses }) => [
      name.toLowerCase().replace(/\.$/, ''),
      { ttlSeconds, addresses },
    ]),
  );
}

const authoritativeAnswer = 1 << 10;
const recursionDesired = 1 << 8;
const recursionAvailable = 1 << 7;
export const serverFailure = 2;
export const nameError = 3;

/** An answer to `query` with this code and nothing in it. */
export function empty(query: Packet, code: number): Packet {
  return {
    type: 'response',
    id: query.id ?? 0,
    flags: ((query.flags ?? 0) & recursionDesired) | recursionAvailable | code,
    questions: query.questions ?? [],
    answers: [],
  };
}

/**
 * The answer that we know ourselves, or nothing where the machine's resolvers are to be asked. A name of ours has A records only:
 * every other type is answered with none (RFC 2308, NODATA). What ends in `elb.localhost` and is not ours does not exist
 * anywhere. `turn` rotates the addresses, so that clients that take the first spread.
 */
export function ownAnswer(query: Packet, records: Records, turn: number): Packet | undefined {
  const question = query.questions?.[0];
  if (!question || query.questions?.length !== 1) return empty(query, 1);
  const name = question.name.toLowerCase().replace(/\.$/, '');
  const record = records.get(name);
  if (!record) return /(^|\.)elb\.localhost$/.test(name) ? empty(query, nameError) : undefined;
  const base = empty(query, 0);
  const { addresses, ttlSeconds: ttl } = record;
  const asked = question.type === 'A' || (question.type as string) === 'ANY';
  const rotated = addresses.map((_, index) => addresses[(index + turn) % addresses.length] ?? '');
  return {
    ...base,
    flags: (base.flags ?? 0) | authoritativeAnswer,
    answers: asked ? rotated.map((data) => ({ type: 'A', class: 'IN', name: question.name, ttl, data })) : [],
  };
}

/** A query's own limit for an answer by UDP: 512 bytes, or what its EDNS record says (RFC 6891), up to 4096. */
export function udpLimit(query: Packet): number {
  const option = query.additionals?.find(({ type }) => type === 'OPT') as { udpPayloadSize?: number } | undefined;
  return Math.min(4096, Math.max(512, option?.udpPayloadSize ?? 512));
}
