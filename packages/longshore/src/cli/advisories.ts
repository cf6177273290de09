import { createWriteStream, existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command, Option } from 'commander';
import type { SourceSummary } from '../services/ecr/scanning/advisories/store.ts';
import { awsClient } from './aws-client.ts';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { type Connection, dataDirOf, readConnection } from './data-dir.ts';
import { CommandError, paint, say, sayJson } from './output.ts';
import { age, table } from './table.ts';

interface Options {
  readonly dataDir: string;
  readonly json?: boolean;
  readonly name?: string;
}

const downloadTimeoutMs = 30 * 60_000;
const importTimeoutMs = 60 * 60_000;
const mostDownload = 8 * 1024 ** 3;

export function advisoriesCommand(): Command {
  const command = new Command('advisories')
    .helpGroup('Use it:')
    .description('what is known to be vulnerable: images are compared with it');
  const sub = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .helpOption('-h, --help', 'print help')
      .addOption(dataDirOption())
      .addOption(jsonOption())
      .exitOverride();
  sub('import <file-or-url>', 'take in a dump of OSV, Debian’s tracker, Alpine’s secdb, KEV or EPSS')
    .addOption(new Option('--name <name>', 'what to call the source; a source of that name is replaced'))
    .action((from: string, options: Options) => importFrom(from, options));
  sub('list', 'the sources that were imported').action((options: Options) => list(options));
  sub('remove <name>', 'forget a source').action((name: string, options: Options) => remove(name, options));
  return withExamples(command, [
    ['longshore advisories import debian.json', 'Debian’s, of security-tracker.debian.org'],
    ['longshore advisories import npm/all.zip', 'a dump of osv.dev'],
    ['longshore advisories import https://…/main.json', 'fetched first'],
    ['longshore advisories list', 'what there is, and how old it is'],
  ]);
}

async function importFrom(from: string, options: Options): Promise<void> {
  const connection = readConnection(dataDirOf(options.dataDir));
  const { readDump, recognise, DumpFlaw } = await import('../services/ecr/scanning/advisories/read-dump.ts');
  const folder = await mkdtemp(join(tmpdir(), 'longshore-advisories-'));
  try {
    const path = /^https?:\/\//.test(from) ? await download(from, join(folder, 'dump')) : from;
    if (!existsSync(path)) throw new CommandError(`There is no file ${path}.`);
    const dump = await recognise(path);
    const name = options.name ?? dump.name;
    const flaws: string[] = [];
    let count = 0;
    const progress = progressLine();
    const body = async function* () {
      let text = '';
      for await (const statement of readDump(path, dump, (message) => void flaws.push(message))) {
        count++;
        text += `${JSON.stringify(statement)}\n`;
        if (text.length < 256 * 1024) continue;
        progress.say(`${name}: ${count} statements`);
        yield Buffer.from(text);
        text = '';
      }
      yield Buffer.from(`${text}${JSON.stringify({ end: count })}\n`);
    };
    const target = `/_longshore/advisories/${encodeURIComponent(name)}?format=${dump.format}`;
    const summary = (await request(connection, 'PUT', target, Readable.from(body()))) as unknown as SourceSummary;
    progress.clear();
    if (options.json) return sayJson({ ...summary, unread: flaws.length });
    const parts = [
      ...(summary.advisories > 0 ? [`${summary.advisories.toLocaleString('en')} advisories`] : []),
      ...(summary.overlays > 0 ? [`${summary.overlays.toLocaleString('en')} ratings`] : []),
    ];
    say(`${paint('green', '✔')} ${summary.name}: ${parts.join(', ') || 'nothing'}`);
    if (summary.ecosystems.length > 0)
      say(`  for ${summary.ecosystems.slice(0, 12).join(', ')}${summary.ecosystems.length > 12 ? ' …' : ''}`);
    if (flaws.length > 0) say(`  ${flaws.length} records could not be read, e.g. ${flaws[0]}`);
  } catch (error) {
    if (error instanceof DumpFlaw) throw new CommandError(error.message);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function download(url: string, path: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(downloadTimeoutMs) });
  } catch (error) {
    const cause = (error as Error & { cause?: Error }).cause?.message ?? (error as Error).message;
    throw new CommandError(`${url} can't be fetched: ${cause}.`, {
      hint: 'Fetch it on a machine that can, and import the file.',
    });
  }
  if (!response.ok || !response.body) throw new CommandError(`${url} answered ${response.status}.`);
  let length = 0;
  const counted = async function* (source: AsyncIterable<Uint8Array>) {
    for await (const chunk of source) {
      length += chunk.length;
      if (length > mostDownload) throw new CommandError(`${url} has more than ${mostDownload} bytes.`);
      yield chunk;
    }
  };
  await pipeline(
    Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
    counted,
    createWriteStream(path),
  );
  return path;
}

async function list(options: Options): Promise<void> {
  const connection = readConnection(dataDirOf(options.dataDir));
  const { sources } = (await request(connection, 'GET', '/_longshore/advisories')) as { sources: SourceSummary[] };
  if (options.json) return sayJson(sources);
  if (sources.length === 0) return say('No advisories yet: `longshore advisories import FILE|URL`.');
  const now = Date.now();
  const rows = sources.map((source) => [
    source.name,
    source.format,
    source.advisories.toLocaleString('en'),
    source.overlays.toLocaleString('en'),
    `${age(source.importedAt, now)} ago`,
    source.ecosystems.join(', '),
  ]);
  const headings = ['SOURCE', 'FORMAT', 'ADVISORIES', 'RATINGS', 'IMPORTED', 'FOR'];
  say(table(headings, rows, Math.max(60, process.stdout.columns ?? 80)).join('\n'));
}

async function remove(name: string, options: Options): Promise<void> {
  const connection = readConnection(dataDirOf(options.dataDir));
  await request(connection, 'DELETE', `/_longshore/advisories/${encodeURIComponent(name)}`);
  if (options.json) return sayJson({ removed: name });
  say(`${paint('green', '✔')} ${name} is forgotten.`);
}

/** Signed in to as the registry is: with the password that GetAuthorizationToken gives. Throws CommandError with what was answered. */
async function request(connection: Connection, method: string, path: string, body?: Readable): Promise<unknown> {
  const { authorizationData } = await awsClient(connection).call<{
    authorizationData: { authorizationToken: string }[];
  }>('ecr', 'GetAuthorizationToken');
  const response = await fetch(`${connection.endpoint}${path}`, {
    method,
    headers: { authorization: `Basic ${authorizationData[0]?.authorizationToken}` },
    signal: AbortSignal.timeout(importTimeoutMs),
    ...(body ? { body: Readable.toWeb(body) as ReadableStream, duplex: 'half' } : {}),
  } as RequestInit);
  const text = await response.text();
  const answer = JSON.parse(text === '' ? '{}' : text) as { message?: string };
  if (!response.ok) throw new CommandError(answer.message ?? `${path} answered ${response.status}.`);
  return answer;
}

function progressLine(): { say(text: string): void; clear(): void } {
  const live = process.stderr.isTTY === true;
  return {
    say: (text) => void (live && process.stderr.write(`\r\x1b[K${text}`)),
    clear: () => void (live && process.stderr.write('\r\x1b[K')),
  };
}
