import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type RequestOptions,
} from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { Settings } from '../../base/settings.ts';
import { openSqliteStore } from '../../state/sqlite.ts';
import { Fault } from '../../wire/fault.ts';
import { startTestServer, testAccount, testGatekeeper, testRegion } from '../../wire/server.testing.ts';
import type { Caller, Gatekeeper, RequestContext } from '../../wire/service.ts';
import { mediaTypes } from './rules/manifest.ts';
import { type EcrNeighbours, ecrService } from './service.ts';
import { ecrMigrations } from './tables.ts';

export const accountId = testAccount;

/** A user whom a test's gatekeeper knows by name. */
export function user(name: string): Caller {
  return { accountId, arn: `arn:aws:iam::${accountId}:user/${name}`, userId: name.toUpperCase(), type: 'user' };
}

export interface RigOptions {
  /** Where the rig keeps its files; a fresh folder, removed at the end, unless given. */
  readonly dataDir?: string;
  readonly auth?: Settings['auth'];
  readonly clock?: Clock;
  readonly scanner?: Settings['scanner'];
  /** Beside those of every rig. */
  readonly settings?: Partial<Settings>;
  /** Beside IAM, which `allows` stands for. */
  readonly neighbours?: Partial<EcrNeighbours>;
  /** What callers may do; everything unless told. */
  readonly allows?: (caller: Caller, action: string, resource: string) => boolean;
}

/** ECR behind the wire, with a real database and real files. */
export async function openRig(options: RigOptions = {}) {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'longshore-ecr-')));
  const settings: Settings = {
    port: 0,
    host: '127.0.0.1',
    dataDir,
    instanceId: systemRandom.hex(4),
    region: testRegion,
    accountId,
    auth: options.auth ?? 'on',
    runtime: 'simulated',
    publicPool: '100.64.0.0/16',
    ...(options.scanner ? { scanner: options.scanner } : {}),
    ...options.settings,
  };
  const gatekeeper: Gatekeeper = {
    ...testGatekeeper(),
    async authorize(caller, { action, resource }) {
      if (options.allows?.(caller, action, resource) ?? true) return;
      throw new Fault('AccessDeniedException', `User: ${caller.arn} is not authorized to perform: ${action}`);
    },
  };
  const store = await openSqliteStore({
    path: join(dataDir, 'state.db'),
    migrations: ecrMigrations,
    log: silentLogger,
  });
  const clock = options.clock ?? systemClock;
  const parts = { store, clock, random: systemRandom, settings, log: silentLogger };
  const service = ecrService(parts, {
    iam: { gatekeeper, resourcePolicyFlaw: async () => undefined },
    ...options.neighbours,
  });
  await service.prepare?.();
  for (const controller of service.controllers) await controller.start();
  const server = await startTestServer([service.definition], { auth: settings.auth, gatekeeper, clock });
  const { port } = server;
  const endpoint = `http://127.0.0.1:${port}`;

  const context = (caller: Caller): RequestContext => ({
    requestId: systemRandom.uuid(),
    caller,
    region: settings.region,
    accountId,
    sourceIp: '127.0.0.1',
    endpoint,
    authorize: async () => {},
  });
  /** Calls an operation as the wire would. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of all operations
  const call = async (operation: string, input: object = {}, caller = user('tester')): Promise<any> => {
    const found = service.definition.operations[operation];
    if (!found) throw new Error(`no operation ${operation}`);
    await found.access(input, context(caller));
    return found.handle(input, context(caller));
  };
  /** The Authorization header that a client sends after signing in. */
  const signIn = async (caller = user('tester')): Promise<string> => {
    const { authorizationData } = await call('GetAuthorizationToken', {}, caller);
    return `Basic ${authorizationData[0].authorizationToken}`;
  };
  const authorization = await signIn();
  /** One raw request; the path goes out as it is written. */
  const send = (method: string, path: string, headers: OutgoingHttpHeaders = {}, body?: Uint8Array | string) =>
    rawRequest({ port, method, path, headers: { authorization, ...headers } }, body);

  return {
    dataDir,
    settings,
    store,
    service,
    port,
    endpoint,
    call,
    signIn,
    authorization,
    client: server.client,
    send,
    async close() {
      server.server.closeAllConnections();
      await server.close();
      for (const controller of service.controllers) await controller.stop();
      await store.close();
      if (!options.dataDir) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export type Rig = Awaited<ReturnType<typeof openRig>>;

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The first error's code, where the answer is an error. */
  readonly code: string | undefined;
}

/** One request on a connection of its own, so that no path is normalised on the way. */
export function rawRequest(
  options: RequestOptions & { headers?: OutgoingHttpHeaders },
  body?: Uint8Array | string,
): Promise<Reply> {
  const isChunked = 'transfer-encoding' in (options.headers ?? {});
  const length = body === undefined || isChunked ? {} : { 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const headers = { ...length, ...options.headers };
    const request = httpRequest(
      { host: '127.0.0.1', agent: false, timeout: 20_000, ...options, headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const all = Buffer.concat(chunks);
          const isJson = response.headers['content-type'] === 'application/json';
          const parsed = isJson && all.length > 0 ? JSON.parse(all.toString()) : undefined;
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: all,
            code: parsed?.errors?.[0]?.code,
          });
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer within 20 s')));
    request.on('error', reject);
    request.end(body);
  });
}

export function sha256(data: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** Pushes a blob in one request; its digest. */
export async function pushBlob(rig: Rig, repository: string, data: Uint8Array | string): Promise<string> {
  const digest = sha256(data);
  const reply = await rig.send('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, {}, data);
  if (reply.status !== 201) throw new Error(`push answered ${reply.status} ${reply.body}`);
  return digest;
}

/** The text of an image manifest with a small random layer, whose blobs are pushed. */
export async function pushImageBlobs(rig: Rig, repository: string, more: object = {}): Promise<string> {
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
  const layer = randomBytes(1000);
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: await pushBlob(rig, repository, config),
      size: config.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: await pushBlob(rig, repository, layer),
        size: layer.length,
      },
    ],
    ...more,
  });
}

/** Puts a manifest; the raw answer. */
export function putManifestText(rig: Rig, repository: string, reference: string, text: string, type?: string) {
  return rig.send(
    'PUT',
    `/v2/${repository}/manifests/${reference}`,
    { 'content-type': type ?? mediaTypes.ociManifest },
    text,
  );
}
