import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { type Connection, dataDirOf, readConnection } from './data-dir.ts';
import { lineOf, type ShownEvent } from './events/render.ts';
import { CommandError, paint, say } from './output.ts';
import { signedHeaders } from './sigv4.ts';

interface EventsOptions {
  readonly dataDir: string;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly pattern?: string;
  readonly follow: boolean;
  readonly json?: boolean;
}

interface Answer {
  readonly events: readonly ShownEvent[];
  readonly next: number;
}

const waitMs = 2_000;
const path = '/_longshore/events';

export function eventsCommand(): Command {
  const command = new Command('events')
    .helpGroup('Use it:')
    .description('what happens, as it happens: tasks, services, deployments, machines, images')
    .addOption(
      new Option('--since <time>', 'begin with what happened since: 30s, 10m, 2h, 1d, or a time').argParser((text) =>
        parseSince(text, Date.now()),
      ),
    )
    .addOption(new Option('--no-follow', 'end after what there is'))
    .addOption(new Option('--pattern <json>', 'only events that fit this EventBridge pattern'))
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action((options: EventsOptions) => events(options));
  return withExamples(command, [
    ['longshore events', 'from now on, until Ctrl-C'],
    ['longshore events --since 10m --no-follow', 'the last ten minutes'],
    [`longshore events --json --pattern '{"source": ["aws.ecs"]}'`, 'what ECS says, as JSON lines'],
  ]);
}

async function events(options: EventsOptions): Promise<void> {
  const connection = readConnection(dataDirOf(options.dataDir));
  const show = options.json ? (event: ShownEvent) => say(JSON.stringify(event)) : sayLine;
  let after: number | undefined;
  for (;;) {
    const { events: found, next } = await ask(connection, {
      ...(after === undefined
        ? options.since !== undefined && { since: String(options.since) }
        : { after: String(after) }),
      ...(options.pattern !== undefined && { pattern: options.pattern }),
      ...(options.follow && after !== undefined && { wait: String(waitMs) }),
    });
    for (const event of found) show(event);
    if (!options.follow && next === after) return;
    after = next;
  }
}

function sayLine(event: ShownEvent): void {
  const { time, kind, text, tone } = lineOf(event);
  const colour = { plain: 'reset', good: 'green', trouble: 'red' } as const;
  say(`${paint('dim', time)}  ${kind.padEnd(35)}  ${paint(colour[tone], text)}`);
}

async function ask(connection: Connection, query: Record<string, string>, patience = 5): Promise<Answer> {
  const canonical = Object.entries(query)
    .map(([name, value]) => `${name}=${encode(value)}`)
    .sort()
    .join('&');
  const headers = signedHeaders({
    host: new URL(connection.endpoint).host,
    method: 'GET',
    path,
    query: canonical,
    service: 'events',
    region: connection.region,
    headers: {},
    body: '',
    key: connection,
    now: Date.now(),
  });
  let response: Response;
  try {
    response = await fetch(`${connection.endpoint}${path}?${canonical}`, {
      headers,
      signal: AbortSignal.timeout(30_000),
    });
  } catch (error) {
    // A tail goes on over a restart.
    if (query.after !== undefined && patience > 0) {
      await sleep(1_000);
      return ask(connection, query, patience - 1);
    }
    throw new CommandError(`Nothing answers at ${connection.endpoint}: ${(error as Error).message}.`, {
      hint: 'Start Longshore with `longshore up`.',
    });
  }
  const body = (await response.json()) as Answer & { readonly message?: string };
  if (!response.ok) throw new CommandError(body.message ?? `The events could not be read (${response.status}).`);
  return body;
}

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `10m` before `now`, or a time; in milliseconds since the epoch. Throws InvalidArgumentError. */
export function parseSince(text: string, now: number): number {
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago) return now - Number(ago[1]) * (unitMs[ago[2] as string] as number);
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError('Say for instance 30s, 10m, 2h, 1d or 2026-01-31T12:00:00Z.');
  return time;
}
