import { Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type FoundPackage, type Inventory, isPlausible, type OperatingSystem, type Package } from '../inventory.ts';
import { type Interest, interestIn } from '../packages/interests.ts';
import { ImageFlaw, type Limits, usualLimits } from './limits.ts';
import { type MergedFile, MergedTree } from './merged-tree.ts';
import { type Sink, type TarEntry, TarReader } from './tar.ts';

export interface Layer {
  readonly digest: string;
  readonly mediaType: string;
  /** The layer's bytes as they are stored. */
  open(): AsyncIterable<Uint8Array>;
}

const mostSkipped = 200;
const whiteout = '.wh.';

/** Finds the packages of an image by reading its layers from the lowest up. Writes nothing anywhere. Throws ImageFlaw. */
export async function readImage(layers: readonly Layer[], limits: Limits = usualLimits): Promise<Inventory> {
  const reader = new ImageReader(limits);
  for (const [number, layer] of layers.entries()) await reader.read(layer, number);
  return reader.inventory();
}

class ImageReader {
  readonly #limits: Limits;
  readonly #tree: MergedTree;
  readonly #skipped: { path: string; reason: string }[] = [];
  #entries = 0;
  #expanded = 0;
  #packages = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#tree = new MergedTree(limits);
  }

  async read(layer: Layer, number: number): Promise<void> {
    const tar = new TarReader((entry) => this.#entry(entry, layer, number));
    try {
      for await (const chunk of this.#expand(layer)) tar.push(chunk);
      tar.end();
    } catch (error) {
      if (error instanceof ImageFlaw) throw new ImageFlaw(`layer ${layer.digest}: ${error.message}`, error.unsupported);
      const { code } = error as NodeJS.ErrnoException;
      if (code?.startsWith('Z_') || code?.startsWith('ZSTD_') || code === 'ERR_ZLIB_INITIALIZATION_FAILED')
        throw new ImageFlaw(`layer ${layer.digest} can't be expanded: ${(error as Error).message}`);
      throw error;
    }
  }

  inventory(): Inventory {
    const files = [...this.#tree.files()].sort(([one], [other]) => (one < other ? -1 : 1));
    const owned = new Set(files.flatMap(([, { facts }]) => facts.owns ?? []));
    const nodeFolders = new Set<string>();
    for (const [path] of files) {
      const at = path.indexOf('node_modules/');
      if (at >= 0) nodeFolders.add(path.slice(0, at));
    }
    const packages: Package[] = [];
    for (const [path, file] of files) {
      if (owned.has(path)) continue;
      // Beside an installed tree a lock file only repeats it, or names what is not there.
      if (
        /(?:package-lock|npm-shrinkwrap)\.json$/.test(path) &&
        nodeFolders.has(path.slice(0, path.lastIndexOf('/') + 1))
      )
        continue;
      for (const { within, ...found } of file.facts.packages ?? [])
        packages.push({
          ...found,
          layer: file.earlier.get(`${found.name}@${found.version}`) ?? file.layer,
          path: within === undefined ? path : `${path}${within}`,
        });
    }
    const os = this.#system(files);
    return { ...(os ? { os } : {}), packages, skipped: this.#skipped };
  }

  #system(files: readonly (readonly [string, MergedFile])[]): OperatingSystem | undefined {
    const of = (wanted: string) => files.find(([path]) => path === wanted)?.[1].facts.os;
    return of('etc/os-release') ?? of('usr/lib/os-release');
  }

  async *#expand(layer: Layer): AsyncGenerator<Buffer> {
    let packed = 0;
    let expanded = 0;
    const source = layer.open()[Symbol.asyncIterator]();
    const start = await firstBytes(source, 4);
    const counted = async function* () {
      if (start.length > 0) {
        packed += start.length;
        yield start;
      }
      for (let next = await source.next(); !next.done; next = await source.next()) {
        packed += next.value.length;
        yield next.value;
      }
    };
    const transform = decompressor(start, layer.mediaType);
    const stream = transform
      ? Readable.from(counted(), { objectMode: false })
          .on('error', (error) => transform.destroy(error))
          .pipe(transform)
      : undefined;
    try {
      for await (const piece of stream ?? counted()) {
        const chunk = Buffer.isBuffer(piece) ? piece : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
        expanded += chunk.length;
        this.#expanded += chunk.length;
        this.#checkSize(packed, expanded);
        yield chunk;
      }
    } finally {
      transform?.destroy();
      await source.return?.();
    }
  }

  #checkSize(packed: number, expanded: number): void {
    const { expandedBytes, ratio, ratioFrom } = this.#limits;
    if (this.#expanded > expandedBytes) throw new ImageFlaw(`the image expands to more than ${expandedBytes} bytes`);
    if (expanded > ratioFrom && expanded > packed * ratio)
      throw new ImageFlaw(`it expands to more than ${ratio} times its size, as a decompression bomb does`);
  }

  #entry(entry: TarEntry, layer: Layer, number: number): Sink | undefined {
    this.#entries++;
    if (this.#entries > this.#limits.entries)
      throw new ImageFlaw(`the image has more than ${this.#limits.entries} files`);
    const parts = this.#tree.resolve(entry.path);
    if (!parts) return undefined;
    const name = parts.at(-1) as string;
    const folder = parts.slice(0, -1);
    if (name === '.wh..wh..opq') {
      this.#tree.hide(folder, number);
      return undefined;
    }
    // Names that begin so are the layering's own (OCI image spec, "Whiteouts").
    if (name.startsWith('.wh..wh.')) return undefined;
    if (name.startsWith(whiteout)) {
      this.#tree.remove([...folder, name.slice(whiteout.length)], number);
      return undefined;
    }
    if (entry.kind === 'directory') this.#tree.addDirectory(parts);
    else if (entry.kind === 'symlink') this.#tree.addSymlink(parts, entry.target.slice(0, 4096), number);
    else if (entry.kind === 'link') this.#link(entry, parts, layer, number);
    else if (entry.kind === 'file') return this.#file(entry, parts, layer, number);
    else this.#tree.remove(parts);
    return undefined;
  }

  /** Another name of a file of this image: of a file of interest it says the same. */
  #link(entry: TarEntry, parts: readonly string[], layer: Layer, number: number): void {
    const target = this.#tree.resolve(entry.target);
    const linked = target && this.#tree.file(target);
    const path = parts.join('/');
    if (linked && interestIn(path, 0, 1))
      this.#tree.addFile(parts, number, { layer: layer.digest, facts: linked.facts });
    else this.#tree.remove(parts);
  }

  #file(entry: TarEntry, parts: readonly string[], layer: Layer, number: number): Sink | undefined {
    const path = parts.join('/');
    const interest = interestIn(path, entry.mode, entry.size);
    if (!interest) {
      this.#tree.remove(parts);
      return undefined;
    }
    const file = this.#tree.addFile(parts, number, { layer: layer.digest, facts: {} });
    return new FileSink(
      entry,
      interest,
      (content) => this.#parse(path, interest, content, file),
      () => {
        this.#skip(path, `it has ${entry.size} bytes; at most ${interest.most} are read`);
      },
    );
  }

  #parse(path: string, interest: Interest, content: Buffer, file: MergedFile): void {
    try {
      const facts = interest.parse(content, path);
      const packages = facts.packages?.filter((one: FoundPackage) => isPlausible(one.name, one.version)).map(owned);
      this.#packages += packages?.length ?? 0;
      file.facts = {
        ...(packages && packages.length > 0 ? { packages } : {}),
        ...(facts.os ? { os: facts.os } : {}),
        ...(facts.owns ? { owns: facts.owns.map(ownText) } : {}),
      };
    } catch (error) {
      if (error instanceof RangeError && /memory|length/i.test(error.message)) throw error;
      this.#skip(path, (error as Error).message.slice(0, 200));
    }
    if (this.#packages > this.#limits.packages)
      throw new ImageFlaw(`the image has more than ${this.#limits.packages} packages`);
  }

  #skip(path: string, reason: string): void {
    if (this.#skipped.length < mostSkipped) this.#skipped.push({ path: path.slice(0, 1000), reason });
  }
}

/** A part of a large text would keep the whole of it in memory. */
function ownText(text: string): string {
  return Buffer.from(text).toString();
}

function owned<T extends FoundPackage>(found: T): T {
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => [name, ownText(value as string)]),
  ) as unknown as T;
}

/** Collects a file of interest, unless its first bytes or its size say that it is none to be read. */
class FileSink implements Sink {
  readonly #size: number;
  readonly #interest: Interest;
  readonly #done: (content: Buffer) => void;
  readonly #tooLarge: () => void;
  #content: Buffer | undefined;
  #length = 0;
  #refused = false;
  #start = Buffer.alloc(0);

  constructor(entry: TarEntry, interest: Interest, done: (content: Buffer) => void, tooLarge: () => void) {
    this.#size = entry.size;
    this.#interest = interest;
    this.#done = done;
    this.#tooLarge = tooLarge;
  }

  write(piece: Buffer): void {
    if (this.#refused) return;
    if (!this.#content) {
      this.#start = Buffer.concat([this.#start, piece]);
      if (this.#start.length < 4 && this.#start.length < this.#size) return;
      if (this.#interest.begins && !this.#interest.begins(this.#start)) {
        this.#refused = true;
        return;
      }
      if (this.#size > this.#interest.most) {
        this.#refused = true;
        this.#tooLarge();
        return;
      }
      this.#content = Buffer.allocUnsafe(this.#size);
      this.#length = this.#start.copy(this.#content);
      return;
    }
    this.#length += piece.copy(this.#content, this.#length);
  }

  end(): void {
    if (this.#content && !this.#refused) this.#done(this.#content);
    this.#content = undefined;
  }
}

async function firstBytes(source: AsyncIterator<Uint8Array>, count: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let length = 0; length < count; ) {
    const next = await source.next();
    if (next.done) break;
    parts.push(next.value);
    length += next.value.length;
  }
  return parts.length === 1 ? Buffer.from(parts[0] as Uint8Array) : Buffer.concat(parts);
}

/** What a layer is packed with, by what it begins with: media types are often wrong. */
function decompressor(start: Buffer, mediaType: string): Transform | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return createGunzip({ chunkSize: 256 * 1024 });
  if (start.length >= 4 && start.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress({ chunkSize: 256 * 1024 });
  if (/\+(gzip|zstd)$|\.gzip$/.test(mediaType) && start.length > 0)
    throw new ImageFlaw(`it is not packed as its media type ${mediaType} says`);
  return undefined;
}
