import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { awsClient } from '../packages/longshore/src/cli/aws-client.ts';
import { findProgram } from '../packages/longshore/src/cli/checks.ts';
import { type Connection, readConnection } from '../packages/longshore/src/cli/data-dir.ts';
import { must } from '../packages/longshore/test/e2e/longshore.ts';
import { withLongshore } from './lib.ts';

export const MiB = 1024 * 1024;

/** A registry under load. */
export interface Registry {
  readonly name: string;
  readonly port: number;
  /** The Authorization header; empty where it asks for none. */
  readonly authorization: string;
  /** Process that serves. */
  readonly pid: number;
  makeRepository(name: string): Promise<void>;
}

/**
 * Runs with a Longshore whose registry is asked by an IAM user with a policy of its own (authentication, authorisation, database),
 * and with Debian's docker-registry, which asks for nothing; undefined where that is not installed.
 */
export async function withRegistries(
  run: (ours: Registry, debian: Registry | undefined, dataDir: string) => Promise<void>,
): Promise<void> {
  await withLongshore(['--runtime', 'simulated'], async (longshore, client) => {
    const connection = readConnection(longshore.dataDir);
    const authorization = await userAuthorization(connection);
    const ours: Registry = {
      name: 'Longshore',
      port: longshore.port,
      authorization,
      pid: controlProcess(longshore.dataDir),
      makeRepository: async (repositoryName) => {
        await client.call('ecr', 'CreateRepository', { repositoryName });
      },
    };
    await withDebian((debian) => run(ours, debian, longshore.dataDir));
  });
}

/** The password of an IAM user who may do with ECR what builds and machines do. */
async function userAuthorization(connection: Connection): Promise<string> {
  const root = awsClient(connection);
  await root.call('iam', 'CreateUser', { UserName: 'builder' });
  const statement = (effect: string, action: string | string[], resource: string) => ({
    Effect: effect,
    Action: action,
    Resource: resource,
  });
  await root.call('iam', 'PutUserPolicy', {
    UserName: 'builder',
    PolicyName: 'registry',
    PolicyDocument: JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        statement('Allow', 'ecr:GetAuthorizationToken', '*'),
        statement(
          'Allow',
          ['ecr:Batch*', 'ecr:Get*', 'ecr:*Layer*', 'ecr:PutImage', 'ecr:ListImages'],
          'arn:aws:ecr:*:*:repository/bench*',
        ),
        statement('Deny', 'ecr:*', 'arn:aws:ecr:*:*:repository/secret*'),
      ],
    }),
  });
  const { AccessKey } = await root.call<{ AccessKey: { AccessKeyId: string; SecretAccessKey: string } }>(
    'iam',
    'CreateAccessKey',
    { UserName: 'builder' },
  );
  const builder = awsClient({
    ...connection,
    accessKeyId: AccessKey.AccessKeyId,
    secretAccessKey: AccessKey.SecretAccessKey,
  });
  const { authorizationData } = await builder.call<{ authorizationData: readonly { authorizationToken: string }[] }>(
    'ecr',
    'GetAuthorizationToken',
  );
  return `Basic ${authorizationData[0]?.authorizationToken}`;
}

/** The process of a Longshore that has its database open for writing. */
function controlProcess(dataDir: string): number {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (!command.includes(dataDir)) continue;
      const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
      if (maps.includes(`${dataDir}/state.db-shm`)) return Number(pid);
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error('no process has the database of Longshore open');
}

async function withDebian(run: (debian: Registry | undefined) => Promise<void>): Promise<void> {
  const program = findProgram('docker-registry');
  if (!program) {
    console.log('docker-registry is not there (apt install docker-registry): nothing to compare with');
    return run(undefined);
  }
  const folder = mkdtempSync(join(tmpdir(), 'longshore-bench-registry-'));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  const config = join(folder, 'config.yml');
  writeFileSync(
    config,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {cache: {blobdescriptor: inmemory}, filesystem: {rootdirectory: ${folder}/data, maxthreads: 100}}
http: {addr: "127.0.0.1:${port}"}
`,
  );
  const child: ChildProcess = spawn(program, ['serve', config], { stdio: 'ignore' });
  try {
    for (let tries = 0; ; tries += 1, await sleep(50)) {
      if (child.exitCode !== null || tries > 200) throw new Error('docker-registry did not start');
      if (
        await fetch(`http://127.0.0.1:${port}/v2/`).then(
          (reply) => reply.ok,
          () => false,
        )
      )
        break;
    }
    await run({
      name: 'docker-registry',
      port,
      authorization: '',
      pid: child.pid as number,
      makeRepository: async () => {},
    });
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Random bytes and their digest; the bytes are `MiB` at a time of one block with a counter, so that making them takes no time. */
export function makeBlob(size: number): { readonly digest: string; readonly chunks: readonly Buffer[] } {
  const chunks: Buffer[] = [];
  const hash = createHash('sha256');
  for (let left = size; left > 0; left -= MiB) {
    const chunk = randomBytes(Math.min(left, MiB));
    hash.update(chunk);
    chunks.push(chunk);
  }
  return { digest: `sha256:${hash.digest('hex')}`, chunks };
}

export interface Answer {
  readonly status: number;
  readonly headers: string;
  /** Bytes of the body that came. */
  readonly received: number;
}

/**
 * One HTTP/1.1 request on a plain socket, so that the client costs as little as it can. The answer must have a length.
 * `body` is sent as it comes; `length` says how much that is.
 */
export function request(
  { port, authorization }: Registry,
  method: string,
  path: string,
  options: { headers?: string; body?: Iterable<Uint8Array> | AsyncIterable<Uint8Array>; length?: number } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let head = '';
    let wanted = -1;
    let received = 0;
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(MiB),
        callback(size, buffer) {
          if (wanted >= 0) received += size;
          else {
            head += (buffer as Buffer).toString('latin1', 0, size);
            const end = head.indexOf('\r\n\r\n');
            if (end >= 0) {
              received = head.length - end - 4;
              head = head.slice(0, end);
              wanted = method === 'HEAD' ? 0 : Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
            }
          }
          if (wanted >= 0 && received >= wanted) {
            resolve({ status: Number(head.split(' ')[1]), headers: head, received });
            socket.destroy();
          }
          return true;
        },
      },
    });
    socket.setTimeout(120_000, () => socket.destroy(new Error(`${method} ${path}: no answer within 120 s`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${method} ${path}: the connection was closed`)));
    const authorized = authorization ? `authorization: ${authorization}\r\n` : '';
    const length = options.body ? `content-length: ${options.length}\r\n` : '';
    socket.write(
      `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${authorized}${length}${options.headers ?? ''}connection: close\r\n\r\n`,
    );
    void (async () => {
      for await (const chunk of options.body ?? [])
        if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
    })();
  });
}

/** Pushes a blob in one stream: POST, then PUT. */
export async function putBlob(
  registry: Registry,
  repository: string,
  digest: string,
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  length: number,
): Promise<void> {
  const start = await request(registry, 'POST', `/v2/${repository}/blobs/uploads/`, { body: [], length: 0 });
  const location = /^location: (?:https?:\/\/[^/]+)?(\S+)/im.exec(start.headers)?.[1];
  if (start.status !== 202 || !location) throw new Error(`${registry.name} began no upload: ${start.headers}`);
  const path = `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;
  const end = await request(registry, 'PUT', path, {
    body,
    length,
    headers: 'content-type: application/octet-stream\r\n',
  });
  if (end.status !== 201) throw new Error(`${registry.name} refused a blob: ${end.headers}`);
}

/** Pushes a small image; its manifest's bytes and digest. */
export async function putImage(registry: Registry, repository: string, tag: string): Promise<string> {
  const blobs = [makeBlob(400), makeBlob(20_000), makeBlob(30_000)];
  for (const { digest, chunks } of blobs)
    await putBlob(
      registry,
      repository,
      digest,
      chunks,
      chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    );
  const [config, ...layers] = blobs.map(({ digest, chunks }, index) => ({
    mediaType: index === 0 ? 'application/vnd.oci.image.config.v1+json' : 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest,
    size: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
  }));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const text = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  const put = await request(registry, 'PUT', `/v2/${repository}/manifests/${tag}`, {
    body: [text],
    length: text.length,
    headers: `content-type: ${mediaType}\r\n`,
  });
  if (put.status !== 201) throw new Error(`${registry.name} refused a manifest: ${put.headers}`);
  return text.toString();
}

export interface WrkFigures {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** GETs of one path by wrk, a second. */
export async function wrk(
  { port, authorization }: Registry,
  path: string,
  connections: number,
  seconds: number,
): Promise<WrkFigures> {
  const headers = [
    'Accept: application/vnd.oci.image.manifest.v1+json',
    ...(authorization ? [`Authorization: ${authorization}`] : []),
  ];
  const text = await must(
    'wrk',
    [
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '--latency',
      ...headers.flatMap((header) => ['-H', header]),
      `http://127.0.0.1:${port}${path}`,
    ],
    { timeoutMs: (seconds + 30) * 1000 },
  );
  if (/Non-2xx/.test(text)) throw new Error(`requests were refused:\n${text}`);
  const milliseconds = (at: string) => {
    const [, value, unit] = new RegExp(`^\\s+${at}%\\s+([\\d.]+)(us|ms|s)`, 'm').exec(text) ?? [];
    return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit ?? ''] ?? Number.NaN);
  };
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p50: milliseconds('50'),
    p99: milliseconds('99'),
  };
}

/** Memory of a process in MB: what it alone holds, without the page cache. */
export function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;
}

/** Processor seconds that a process has used (proc(5), stat, fields 14 and 15). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
