import type { ServerResponse } from 'node:http';
import type { HttpRoute } from '../../wire/service.ts';
import { compilePattern, type EventMatcher, PatternError } from './pattern/pattern.ts';
import { type EventsState, topics } from './state.ts';

const mostAtOnce = 1_000;
/** How long an answer waits for an event: short, so that waiting clients hold up no stop. */
const longestWaitMs = 2_000;

/** What `GET /_longshore/events` answers. */
export interface EventsAnswer {
  /** As targets get them, oldest first. */
  readonly events: readonly unknown[];
  /** What to ask `after` next. */
  readonly next: number;
}

/**
 * `GET /_longshore/events`: what happened, for `longshore events`, signed by the account's root. `after` is a `next` of before, or `since`
 * a time in milliseconds since the epoch, else from now on; `wait` milliseconds for the first; only what fits `pattern`.
 */
export function eventsRoute(state: EventsState): HttpRoute {
  const { db, store, clock } = state;

  async function newest(): Promise<number> {
    const row = await db
      .selectFrom('events_event')
      .select((eb) => eb.fn.max('sequence').as('last'))
      .executeTakeFirst();
    return Number(row?.last ?? 0);
  }

  /** The sequence before the first event since `time`. */
  async function before(time: number): Promise<number> {
    const row = await db
      .selectFrom('events_event')
      .select('sequence')
      .where('ingested_at', '>=', time)
      .orderBy('sequence')
      .limit(1)
      .executeTakeFirst();
    return row ? row.sequence - 1 : newest();
  }

  async function read(after: number, matches: EventMatcher | undefined): Promise<EventsAnswer> {
    const rows = await db
      .selectFrom('events_event')
      .select(['sequence', 'body'])
      .where('sequence', '>', after)
      .orderBy('sequence')
      .limit(mostAtOnce)
      .execute();
    const events = rows.map((row) => JSON.parse(row.body) as object).filter((event) => matches?.(event) ?? true);
    return { events, next: rows.at(-1)?.sequence ?? after };
  }

  /** Reads again once something came in, or the time is over, or nobody waits any more. */
  async function readLater(
    after: number,
    matches: EventMatcher | undefined,
    ms: number,
    response: ServerResponse,
  ): Promise<EventsAnswer> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const watch = store.watch([topics.event], async () => resolve());
    const cancel = clock.after(ms, resolve);
    response.once('close', resolve);
    try {
      const found = await read(after, matches);
      if (found.events.length > 0 || found.next !== after) return found;
      await promise;
      return await read(after, matches);
    } finally {
      cancel();
      await watch.stop();
    }
  }

  return {
    prefix: '/_longshore/events',
    signedBy: 'root',
    async handle(request, response) {
      if (request.method !== 'GET') return answer(response, 405, { message: 'GET only' });
      const query = new URL(request.url ?? '/', 'http://longshore').searchParams;
      const number = (name: string) => (query.has(name) ? Math.max(0, Number(query.get(name)) || 0) : undefined);
      let matches: EventMatcher | undefined;
      try {
        const pattern = query.get('pattern');
        matches = pattern ? compilePattern(pattern) : undefined;
      } catch (error) {
        if (!(error instanceof PatternError)) throw error;
        return answer(response, 400, { message: `Event pattern is not valid. Reason: ${error.message}` });
      }
      const since = number('since');
      const after = number('after') ?? (since === undefined ? await newest() : await before(since));
      const wait = Math.min(number('wait') ?? 0, longestWaitMs);
      const found = wait > 0 ? await readLater(after, matches, wait, response) : await read(after, matches);
      answer(response, 200, found);
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}
