/** What a scan of one image may cost. What would cost more is refused, with the reason. */
export interface Limits {
  readonly entries: number;
  /** All layers, expanded, in bytes. */
  readonly expandedBytes: number;
  /** Expanded for compressed bytes of a layer, once it has grown beyond `ratioFrom` bytes. gzip can do 1,032. */
  readonly ratio: number;
  readonly ratioFrom: number;
  /** Folders in a path. */
  readonly depth: number;
  /** What is kept of an image in memory: names of links and of files of interest, in bytes. */
  readonly nameBytes: number;
  readonly packages: number;
}

export const usualLimits: Limits = {
  entries: 3_000_000,
  expandedBytes: 64 * 1024 ** 3,
  ratio: 250,
  ratioFrom: 256 * 1024 ** 2,
  depth: 256,
  nameBytes: 64 * 1024 ** 2,
  packages: 200_000,
};

/** Why an image can't be scanned: it is damaged, hostile, or of no kind that we read. */
export class ImageFlaw extends Error {
  override readonly name = 'ImageFlaw';
  readonly unsupported: boolean;

  constructor(message: string, unsupported = false) {
    super(message);
    this.unsupported = unsupported;
  }
}
