import type { FileFacts } from '../inventory.ts';
import { ImageFlaw, type Limits } from './limits.ts';

/** A file of interest, as it is seen from above all layers read so far. */
export interface MergedFile {
  readonly layer: string;
  facts: FileFacts;
  /** Layers of packages that an earlier version of this file named already, by `name@version`. */
  earlier: ReadonlyMap<string, string>;
}

interface Node {
  children?: Map<string, Node>;
  /** Where a symbolic link points to. */
  link?: string;
  file?: MergedFile;
  /** The number of the layer that brought the link or file. */
  layer: number;
}

const mostHops = 40;

/**
 * The files of interest of an image, layer laid over layer as a container sees them (OCI image spec, "Representing changes"): whiteouts,
 * opaque folders, replaced files. Of everything else it keeps only symbolic links, since paths of later layers lead through them. No path
 * leaves it: `..` stops at the root, whether in a name or in a link.
 */
export class MergedTree {
  readonly #limits: Limits;
  readonly #root: Node = { layer: -1 };
  #names = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Where an entry's path really is: its parents' links followed. Undefined for the root, and where links go in a circle. */
  resolve(path: string): readonly string[] | undefined {
    const parts = this.#split(path);
    const name = parts.pop();
    if (name === undefined) return undefined;
    const parent = this.#follow(parts);
    return parent && [...parent, name];
  }

  /** A folder: replaces a file or link of that path, and keeps what is in a folder already there. */
  addDirectory(parts: readonly string[]): void {
    const node = this.#find(parts);
    if (!node) return;
    delete node.link;
    delete node.file;
  }

  addSymlink(parts: readonly string[], target: string, layer: number): void {
    this.remove(parts);
    this.#keep(target.length);
    const node = this.#make(parts);
    node.link = target;
    node.layer = layer;
  }

  /** Puts a file of interest there; what was there before is gone, but its packages' layers are remembered. */
  addFile(parts: readonly string[], layer: number, file: Omit<MergedFile, 'earlier'>): MergedFile {
    const before = this.#find(parts)?.file;
    this.remove(parts);
    const node = this.#make(parts);
    node.file = { ...file, earlier: before ? layersOf(before) : new Map() };
    node.layer = layer;
    return node.file;
  }

  file(parts: readonly string[]): MergedFile | undefined {
    return this.#find(parts)?.file;
  }

  /** Any other entry, or a whiteout: what is at or below that path is gone. With `below`, only what layers before that one brought. */
  remove(parts: readonly string[], below = Number.POSITIVE_INFINITY): void {
    const parent = this.#find(parts.slice(0, -1));
    const name = parts.at(-1) as string;
    const node = parent?.children?.get(name);
    if (node && prune(node, below)) parent?.children?.delete(name);
  }

  /** An opaque whiteout: what layers before that one brought into the folder is gone. */
  hide(parts: readonly string[], below: number): void {
    const node = this.#find(parts);
    for (const [name, child] of node?.children ?? []) if (prune(child, below)) node?.children?.delete(name);
  }

  *files(): Generator<readonly [path: string, file: MergedFile]> {
    const waiting: [string, Node][] = [['', this.#root]];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [path, node] = next;
      if (node.file) yield [path, node.file];
      for (const [name, child] of node.children ?? []) waiting.push([path === '' ? name : `${path}/${name}`, child]);
    }
  }

  #split(path: string): string[] {
    const parts: string[] = [];
    for (const part of path.split('/')) {
      if (part === '..') parts.pop();
      else if (part !== '' && part !== '.') parts.push(part);
    }
    if (parts.length > this.#limits.depth) throw new ImageFlaw(`a path has more than ${this.#limits.depth} folders`);
    return parts;
  }

  #follow(parts: readonly string[]): string[] | undefined {
    let at: string[] = [];
    let rest = [...parts].reverse();
    for (let hops = 0; rest.length > 0; ) {
      const part = rest.pop() as string;
      if (part === '..') {
        at.pop();
        continue;
      }
      const link = this.#find([...at, part])?.link;
      if (link === undefined) {
        at.push(part);
        continue;
      }
      if (++hops > mostHops) return undefined;
      if (link.startsWith('/')) at = [];
      const more = link.split('/').filter((step) => step !== '' && step !== '.');
      rest = [...rest, ...more.reverse()];
      if (rest.length > this.#limits.depth * 4) return undefined;
    }
    return at;
  }

  #find(parts: readonly string[]): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const part of parts) {
      node = node.children?.get(part);
      if (!node) return undefined;
    }
    return node;
  }

  #make(parts: readonly string[]): Node {
    let node = this.#root;
    for (const part of parts) {
      node.children ??= new Map();
      let child = node.children.get(part);
      if (!child) {
        this.#keep(part.length + 64);
        child = { layer: -1 };
        node.children.set(part, child);
      }
      node = child;
    }
    return node;
  }

  #keep(bytes: number): void {
    this.#names += bytes;
    if (this.#names > this.#limits.nameBytes)
      throw new ImageFlaw('the image has more links and files of interest than a scan keeps in memory');
  }
}

/** Takes away what is older; whether nothing is left. */
function prune(node: Node, below: number): boolean {
  if (below === Number.POSITIVE_INFINITY) return true;
  if (node.layer < below) {
    delete node.link;
    delete node.file;
  }
  for (const [name, child] of node.children ?? []) if (prune(child, below)) node.children?.delete(name);
  return node.link === undefined && node.file === undefined && (node.children?.size ?? 0) === 0;
}

function layersOf(file: MergedFile): Map<string, string> {
  const layers = new Map<string, string>();
  for (const { name, version } of file.facts.packages ?? []) {
    const key = `${name}@${version}`;
    layers.set(key, file.earlier.get(key) ?? file.layer);
  }
  return layers;
}
