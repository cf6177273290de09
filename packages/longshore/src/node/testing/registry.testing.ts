import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface TestImage {
  readonly config?: Record<string, unknown>;
  /** One layer each: path → text, or null for a folder. The first layer also gets busybox and its common names. */
  readonly layers?: readonly Record<string, string | null>[];
}

/** A registry that serves images made on the spot, from memory, on a free port of loopback. */
export class TestRegistry {
  readonly #blobs = new Map<string, Buffer>();
  readonly #manifests = new Map<string, { type: string; bytes: Buffer }>();
  readonly #server: Server;
  /** Method and path of every request so far. */
  readonly requests: string[] = [];
  /** Paths that answer with damaged bytes. */
  readonly damaged = new Set<string>();
  readonly authorizations: (string | undefined)[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      this.authorizations.push(request.headers.authorization);
      const [, kind, name] = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
      const repository = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(request.url ?? '')?.[1];
      const manifest = this.#manifests.get(`${repository}/${name}`);
      const bytes = kind === 'blobs' ? this.#blobs.get(name ?? '') : manifest?.bytes;
      if (!bytes) {
        response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
        return;
      }
      const sent = this.damaged.has(name ?? '') ? Buffer.alloc(bytes.length) : bytes;
      response.writeHead(200, {
        'content-type': manifest?.type ?? 'application/octet-stream',
        'content-length': sent.length,
        'docker-content-digest': digestOf(bytes),
      });
      response.end(request.method === 'HEAD' ? undefined : sent);
    });
  }

  static async open(): Promise<TestRegistry> {
    const registry = new TestRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Adds an image under `repository:tag`, as an index of one platform, and answers the index's digest. */
  async add(repository: string, tag: string, image: TestImage = {}): Promise<string> {
    const given = image.layers ?? [{}];
    const layers = await Promise.all(given.map((files, index) => layerOf(files, index === 0)));
    const config = Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: { Env: ['PATH=/bin'], Cmd: ['sh', '-c', 'sleep 1000'], ...image.config },
        rootfs: { type: 'layers', diff_ids: layers.map(({ plain }) => digestOf(plain)) },
      }),
    );
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: this.#blob('application/vnd.oci.image.config.v1+json', config),
        layers: layers.map(({ packed }) => this.#blob('application/vnd.oci.image.layer.v1.tar+gzip', packed)),
      }),
    );
    const platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
    const type = 'application/vnd.oci.image.manifest.v1+json';
    this.#manifests.set(`${repository}/${digestOf(manifest)}`, { type, bytes: manifest });
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [{ mediaType: type, digest: digestOf(manifest), size: manifest.length, platform }],
      }),
    );
    const entry = { type: 'application/vnd.oci.image.index.v1+json', bytes: index };
    this.#manifests.set(`${repository}/${digestOf(index)}`, entry);
    this.#manifests.set(`${repository}/${tag}`, entry);
    return digestOf(index);
  }

  #blob(mediaType: string, bytes: Buffer) {
    this.#blobs.set(digestOf(bytes), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  }

  /** Digests of all blobs. */
  get blobs(): string[] {
    return [...this.#blobs.keys()];
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function layerOf(
  files: Record<string, string | null>,
  base: boolean,
): Promise<{ plain: Buffer; packed: Buffer }> {
  const tar = pack();
  if (base) {
    for (const folder of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev'])
      tar.entry({ name: folder, type: 'directory', mode: folder === 'tmp' ? 0o1777 : 0o755 });
    tar.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile('/bin/busybox'));
    for (const name of [
      'sh',
      'sleep',
      'cat',
      'id',
      'echo',
      'true',
      'false',
      'hostname',
      'env',
      'pwd',
      'grep',
      'seq',
      'wc',
      'nc',
      'httpd',
      'wget',
      'kill',
      'trap',
      'mount',
      'ls',
      'dd',
      'tail',
    ])
      tar.entry({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox' });
    tar.entry({ name: 'etc/passwd' }, 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n');
    tar.entry({ name: 'etc/group' }, 'root:x:0:\napp:x:1001:\nextra:x:2002:app\n');
  }
  for (const [name, text] of Object.entries(files))
    if (text === null) tar.entry({ name, type: 'directory', mode: 0o755 });
    else tar.entry({ name, mode: 0o755 }, text);
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar as AsyncIterable<Buffer>) parts.push(part);
  const plain = Buffer.concat(parts);
  return { plain, packed: gzipSync(plain, { level: 1 }) };
}
