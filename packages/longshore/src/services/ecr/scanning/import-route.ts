import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '../../../wire/fault.ts';
import type { HttpRoute } from '../../../wire/service.ts';
import { secureTransport } from '../../../wire/transport.ts';
import type { Ecr } from '../parts.ts';
import { authenticate } from '../registry/access.ts';
import { OciError } from '../registry/reply.ts';
import { lines } from './advisories/lines.ts';
import { type Advisory, type Format, formats, type Overlay, type Statement } from './advisories/model.ts';
import type { AdvisoryStore } from './advisories/store.ts';

const prefix = '/_longshore/advisories';
const sourceName = /^[A-Za-z0-9][A-Za-z0-9 ._:@+-]{0,99}$/;
/** One advisory; the longest of OSV's have some hundred thousand characters. */
const longestLine = 8 * 1024 * 1024;

/**
 * `GET /_longshore/advisories`: the sources. `PUT …/SOURCE?format=osv`: replaces one by a body of JSON lines, each an advisory or an
 * overlay, the last `{"end": COUNT}`; a body that is cut off changes nothing. `DELETE …/SOURCE`. Signed in to as the registry is, with a
 * password of GetAuthorizationToken; IAM is asked for `longshore:ListAdvisories` and `longshore:ImportAdvisories`.
 */
export function advisoriesRoute(ecr: Ecr, advisories: AdvisoryStore): HttpRoute {
  return {
    prefix,
    async handle(request, response) {
      try {
        await answer(ecr, advisories, request, response);
      } catch (error) {
        if (error instanceof OciError) send(response, error.status, { message: error.message });
        else if (error instanceof Fault) send(response, error.status ?? 403, { message: error.message });
        else if (error instanceof BadImport) send(response, 400, { message: error.message });
        else throw error;
      }
    },
  };
}

class BadImport extends Error {}

async function answer(
  ecr: Ecr,
  advisories: AdvisoryStore,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '', 'http://localhost');
  const rest = url.pathname.slice(prefix.length);
  if (rest !== '' && !rest.startsWith('/')) return send(response, 404, { message: 'There is nothing here.' });
  const caller = authenticate(ecr, request);
  const may = async (action: string) => {
    if (ecr.settings.auth === 'off') return;
    await ecr.gatekeeper.authorize(
      caller,
      { action, resource: '*' },
      {
        region: ecr.settings.region,
        sourceIp: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
        secureTransport: secureTransport(request.socket),
        userAgent: request.headers['user-agent'] ?? '',
      },
    );
  };
  if (rest === '' || rest === '/') {
    if (request.method !== 'GET') return send(response, 405, { message: 'GET only' });
    await may('longshore:ListAdvisories');
    return send(response, 200, { sources: await advisories.list() });
  }
  const name = decodeURIComponent(rest.slice(1));
  if (!sourceName.test(name)) throw new BadImport('the name of a source has letters, digits, spaces and . _ : @ + -');
  await may('longshore:ImportAdvisories');
  if (request.method === 'DELETE') {
    const removed = await advisories.remove(name);
    return send(response, removed ? 200 : 404, { message: removed ? 'removed' : `there is no source ${name}` });
  }
  if (request.method !== 'PUT') return send(response, 405, { message: 'PUT or DELETE only' });
  const format = url.searchParams.get('format') ?? '';
  if (!(formats as readonly string[]).includes(format))
    throw new BadImport(`the format must be one of ${formats.join(', ')}`);
  const summary = await advisories.replace(name, format as Format, statements(request));
  ecr.log.info({ source: name, advisories: summary.advisories, overlays: summary.overlays }, 'imported advisories');
  send(response, 200, summary);
}

/** The statements of a body. Throws BadImport where a line is none, or the last is missing. */
async function* statements(request: IncomingMessage): AsyncGenerator<Statement> {
  let count = 0;
  let end: number | undefined;
  try {
    for await (const line of lines(request, longestLine)) {
      if (line === '') continue;
      if (end !== undefined) throw new BadImport('something follows the end');
      const value = parseLine(line, count);
      if ('end' in value) end = value.end;
      else {
        count++;
        yield value;
      }
    }
  } catch (error) {
    if (error instanceof BadImport) throw error;
    throw new BadImport(`the import was cut off: ${(error as Error).message}`);
  }
  if (end !== count) throw new BadImport(`the import was cut off after ${count} statements; nothing was changed`);
}

function parseLine(line: string, number: number): Statement | { end: number } {
  let value: { advisory?: Advisory; overlay?: Overlay; end?: number };
  try {
    value = JSON.parse(line);
  } catch {
    throw new BadImport(`line ${number + 1} is no JSON`);
  }
  const { advisory, overlay, end } = value;
  if (typeof end === 'number') return { end };
  if (
    advisory &&
    [advisory.ecosystem, advisory.name, advisory.id].every((text) => typeof text === 'string' && text !== '') &&
    Array.isArray(advisory.ranges) &&
    Array.isArray(advisory.cves)
  )
    return { advisory };
  if (overlay && typeof overlay.id === 'string' && ['kev', 'epss', 'cvss'].includes(overlay.kind)) return { overlay };
  throw new BadImport(`line ${number + 1} is neither an advisory nor an overlay`);
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}
