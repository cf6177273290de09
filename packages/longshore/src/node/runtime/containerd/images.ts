import type { Random } from '../../../base/random.ts';
import type { HttpClient } from '../../session/http.ts';
import { parseReference } from '../registry/reference.ts';
import { type Descriptor, Registry } from '../registry/registry.ts';
import { type ImageConfig, PullError, type PulledImage, type PullRequest } from '../runtime.ts';
import { Diff } from './gen/diff_pb.ts';
import { Images } from './gen/images_pb.ts';
import { Leases } from './gen/leases_pb.ts';
import { Snapshots } from './gen/snapshots_pb.ts';
import { type Grpc, isAlreadyThere, isNotFound, tolerate } from './grpc.ts';
import { slots } from './slots.ts';
import { ContentStore, digestOf } from './store.ts';

export const snapshotter = 'overlayfs';
/** Label of an image in containerd: the digest that the user's reference resolved to (an index's, for several platforms). */
const resolvedLabel = 'longshore.io/resolved-digest';
const applyTimeoutMs = 30 * 60_000;
const resolveTimeoutMs = 2 * 60_000;

/** A question to a registry, and the one that comes after it. */
interface Question {
  readonly answer: Promise<string>;
  next?: Promise<string>;
}

interface ManifestDocument {
  readonly mediaType?: string;
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

interface ConfigDocument {
  readonly config?: {
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly Env?: readonly string[] | null;
    readonly User?: string;
    readonly WorkingDir?: string;
    readonly StopSignal?: string;
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/**
 * Pulls images: manifest and configuration into containerd's content store, layers unpacked into a chain of snapshots. Packed
 * layers are not kept (nothing refers to them once the lease of the pull ends): the registry has them.
 */
export class ImageStore {
  readonly #grpc: Grpc;
  readonly #http: HttpClient;
  readonly #random: Random;
  readonly #architecture: string;
  readonly #content: ContentStore;
  /** Images that are there, by resolved digest. */
  readonly #present = new Map<string, PulledImage>();
  /** Work under way, so that what several tasks need is fetched once: images by digest, snapshots by chain id. */
  readonly #pulls = new Map<string, Promise<PulledImage>>();
  readonly #chains = new Map<string, Promise<void>>();
  /** What registries are being asked, by who asks for what. */
  readonly #questions = new Map<string, Question>();

  constructor(grpc: Grpc, http: HttpClient, random: Random, architecture: string) {
    this.#grpc = grpc;
    this.#http = http;
    this.#random = random;
    this.#architecture = architecture;
    this.#content = new ContentStore(grpc);
  }

  /** Reads which images are there. */
  async load(): Promise<void> {
    this.#present.clear();
    const { images } = await this.#grpc.unary(Images.method.list, {});
    await Promise.all(
      images.map(async (image) => {
        const resolved = image.labels[resolvedLabel];
        if (!resolved || !image.target) return;
        try {
          const manifest = JSON.parse((await this.#content.read(image.target.digest)).toString()) as ManifestDocument;
          const config = await this.#content.read(manifest.config!.digest);
          const pulled = describe(resolved, JSON.parse(config.toString()) as ConfigDocument);
          if (await this.#hasSnapshot(pulled.chainId)) this.#present.set(resolved, pulled);
        } catch {
          // Incomplete: the next pull of it makes it whole.
        }
      }),
    );
  }

  async pull(request: PullRequest): Promise<PulledImage> {
    const reference = parseReferenceForPull(request.reference);
    const endpoint = await request.access(reference.host);
    const registry = new Registry(this.#http, endpoint, reference);
    const asker = `${endpoint.url} ${endpoint.authorization ?? ''} ${reference.canonical}`;
    const digest = await untilAborted(this.#resolve(registry, asker), request.signal);
    const present = this.#present.get(digest);
    if (present) return present;
    let pull = this.#pulls.get(digest);
    if (!pull) {
      // Not ended by the one task that began it: others may wait for the same image.
      pull = this.#fetch(
        registry,
        `${reference.host}/${reference.repository}`,
        digest,
        AbortSignal.timeout(2 * 3600_000),
      );
      this.#pulls.set(digest, pull);
      pull.finally(() => this.#pulls.delete(digest)).catch(() => undefined);
    }
    return await untilAborted(pull, request.signal);
  }

  /**
   * What a tag stands for now. Those who ask while a question is under way share the next one: its answer knows of everything
   * that was pushed before they asked.
   */
  #resolve(registry: Registry, asker: string): Promise<string> {
    const question = this.#questions.get(asker);
    if (!question) return this.#ask(registry, asker);
    const ask = () => this.#ask(registry, asker);
    question.next ??= question.answer.then(ask, ask);
    return question.next;
  }

  #ask(registry: Registry, asker: string): Promise<string> {
    const question: Question = { answer: registry.resolve(AbortSignal.timeout(resolveTimeoutMs)) };
    this.#questions.set(asker, question);
    const answered = () => {
      if (!question.next) this.#questions.delete(asker);
    };
    question.answer.then(answered, answered);
    return question.answer;
  }

  async #fetch(registry: Registry, repository: string, digest: string, signal: AbortSignal): Promise<PulledImage> {
    const lease = `pull-${this.#random.hex(16)}`;
    const expires = { 'containerd.io/gc.expire': new Date(Date.now() + 24 * 3600_000).toISOString() };
    await this.#grpc.unary(Leases.method.create, { id: lease, labels: expires });
    try {
      let manifestDigest = digest;
      let fetched = await this.#manifest(registry, manifestDigest, signal);
      if (fetched.document.manifests) {
        manifestDigest = this.#choosePlatform(fetched.document.manifests).digest;
        fetched = await this.#manifest(registry, manifestDigest, signal);
      }
      const { document, bytes, mediaType } = fetched;
      if (!document.config || !document.layers) throw new PullError(`${repository}@${digest} is not an image manifest`);
      const configBytes = await this.#blob(registry, document.config, signal);
      const config = JSON.parse(configBytes.toString()) as ConfigDocument;
      if (config.rootfs?.diff_ids?.length !== document.layers.length)
        throw new PullError(`${repository}@${digest}: its configuration does not match its layers`);
      const pulled = describe(digest, config);
      await this.#unpack(registry, document.layers, config.rootfs.diff_ids, lease, signal);
      const configLabels: Record<string, string> = pulled.chainId
        ? { [`containerd.io/gc.ref.snapshot.${snapshotter}`]: pulled.chainId }
        : {};
      await this.#content.write({ digest: document.config.digest, size: configBytes.length }, [configBytes], {
        lease,
        labels: configLabels,
      });
      if (pulled.chainId) await this.#content.label(document.config.digest, configLabels);
      await this.#content.write({ digest: manifestDigest, size: bytes.length }, [bytes], {
        lease,
        labels: { 'containerd.io/gc.ref.content.0': document.config.digest },
      });
      const image = {
        name: `${repository}@${digest}`,
        labels: { [resolvedLabel]: digest },
        target: { mediaType, digest: manifestDigest, size: BigInt(bytes.length) },
      };
      await tolerate(this.#grpc.unary(Images.method.create, { image }, { lease }), isAlreadyThere);
      this.#present.set(digest, pulled);
      return pulled;
    } finally {
      await this.#grpc.unary(Leases.method.delete, { id: lease }).catch(() => undefined);
    }
  }

  async #manifest(registry: Registry, digest: string, signal: AbortSignal) {
    const { bytes, mediaType } = await registry.manifest(digest, signal);
    if (digestOf(bytes) !== digest) throw new PullError(`the registry sent a manifest that is not ${digest}`);
    const document = JSON.parse(bytes.toString()) as ManifestDocument;
    return { bytes, document, mediaType: document.mediaType ?? mediaType };
  }

  /** A blob whole, verified: for configurations. */
  async #blob(registry: Registry, descriptor: Descriptor, signal: AbortSignal): Promise<Buffer> {
    if (descriptor.size > 8 * 1024 * 1024) throw new PullError('the image configuration is longer than 8 MiB');
    const parts: Buffer[] = [];
    for await (const part of (await registry.blob(descriptor.digest, signal)) as AsyncIterable<Buffer>)
      parts.push(part);
    const bytes = Buffer.concat(parts);
    if (digestOf(bytes) !== descriptor.digest)
      throw new PullError(`the registry sent a blob that is not ${descriptor.digest}`);
    return bytes;
  }

  #choosePlatform(manifests: readonly Descriptor[]): Descriptor {
    const architecture = this.#architecture === 'x64' ? 'amd64' : this.#architecture;
    const found = manifests.find(({ platform }) => platform?.os === 'linux' && platform.architecture === architecture);
    if (found) return found;
    throw new PullError(`image Manifest does not contain descriptor matching platform 'linux/${architecture}'`);
  }

  /** Fetches the layers that are missing, several at once, and applies each onto the one below. */
  async #unpack(
    registry: Registry,
    layers: readonly Descriptor[],
    diffIds: readonly string[],
    lease: string,
    signal: AbortSignal,
  ): Promise<void> {
    const chain = chainIds(diffIds);
    let first = 0;
    for (let index = chain.length; index > 0; index--)
      if (await this.#hasSnapshot(chain[index - 1]!)) {
        first = index;
        break;
      }
    const limit = slots(3);
    const fetched = layers.map((layer, index) =>
      index < first ? Promise.resolve() : limit(() => this.#fetchLayer(registry, layer, lease, signal)),
    );
    for (const one of fetched) one.catch(() => undefined);
    for (let index = first; index < layers.length; index++) {
      await fetched[index];
      await this.#applyOnce(chain[index]!, chain[index - 1] ?? '', layers[index]!, diffIds[index]!, lease);
    }
  }

  async #fetchLayer(registry: Registry, layer: Descriptor, lease: string, signal: AbortSignal): Promise<void> {
    if (await this.#content.has(layer.digest)) return;
    for (let tries = 1; ; tries++)
      try {
        return await this.#content.write(
          layer,
          (await registry.blob(layer.digest, signal)) as AsyncIterable<Uint8Array>,
          { lease },
        );
      } catch (error) {
        if (error instanceof PullError || signal.aborted || tries === 3) throw error;
      }
  }

  async #applyOnce(chainId: string, parent: string, layer: Descriptor, diffId: string, lease: string): Promise<void> {
    let work = this.#chains.get(chainId);
    if (!work) {
      work = this.#apply(chainId, parent, layer, diffId, lease);
      this.#chains.set(chainId, work);
      work.finally(() => this.#chains.delete(chainId)).catch(() => undefined);
    }
    await work;
  }

  async #apply(chainId: string, parent: string, layer: Descriptor, diffId: string, lease: string): Promise<void> {
    if (await this.#hasSnapshot(chainId)) return;
    const key = `extract-${this.#random.hex(12)} ${chainId}`;
    const { mounts } = await this.#grpc.unary(Snapshots.method.prepare, { snapshotter, key, parent }, { lease });
    try {
      const diff = { mediaType: layer.mediaType, digest: layer.digest, size: BigInt(layer.size) };
      const { applied } = await this.#grpc.unary(
        Diff.method.apply,
        { diff, mounts },
        { lease, timeoutMs: applyTimeoutMs },
      );
      if (applied?.digest !== diffId)
        throw new PullError(`layer ${layer.digest} unpacks to ${applied?.digest}, not to ${diffId}`);
      await tolerate(
        this.#grpc.unary(Snapshots.method.commit, { snapshotter, name: chainId, key }, { lease }),
        isAlreadyThere,
      );
    } catch (error) {
      await this.#grpc.unary(Snapshots.method.remove, { snapshotter, key }).catch(() => undefined);
      throw error;
    }
  }

  async #hasSnapshot(key: string): Promise<boolean> {
    if (key === '') return true;
    return (await tolerate(this.#grpc.unary(Snapshots.method.stat, { snapshotter, key }), isNotFound)) !== undefined;
  }

  /** Removes every image of ours. */
  async removeAll(): Promise<void> {
    const { images } = await this.#grpc.unary(Images.method.list, {});
    for (const { name } of images) await tolerate(this.#grpc.unary(Images.method.delete, { name }), isNotFound);
    this.#present.clear();
  }
}

/** Chain ids of layers by their diff ids (OCI image-spec, config.md, "Layer ChainID"). */
export function chainIds(diffIds: readonly string[]): string[] {
  const result: string[] = [];
  for (const diffId of diffIds) result.push(result.length === 0 ? diffId : digestOf(`${result.at(-1)} ${diffId}`));
  return result;
}

function describe(digest: string, document: ConfigDocument): PulledImage {
  const config = document.config ?? {};
  const described: ImageConfig = {
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    environment: config.Env ?? [],
    user: config.User ?? '',
    workingDirectory: config.WorkingDir ?? '',
    ...(config.StopSignal && { stopSignal: config.StopSignal }),
  };
  return { digest, chainId: chainIds(document.rootfs.diff_ids).at(-1) ?? '', config: described };
}

function parseReferenceForPull(text: string) {
  try {
    return parseReference(text);
  } catch (error) {
    throw new PullError(`failed to parse image reference ${text}: ${(error as Error).message}`);
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
