/** What an image reference, as tasks write it, points at: `HOST/repository:tag`, `HOST/repository@digest`, both, or neither. */
export interface UsedImage {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/**
 * Takes a reference apart. The host is dropped: whatever name our registry was reached by, the images of a repository of that
 * name are in use. Without tag and digest `latest` is meant, as Docker has it.
 */
export function readUsedImage(reference: string): UsedImage {
  const [named = '', digest] = reference.split('@', 2);
  const slash = named.lastIndexOf('/');
  const colon = named.indexOf(':', slash + 1);
  const path = colon < 0 ? named : named.slice(0, colon);
  const first = path.indexOf('/');
  const host = first < 0 ? '' : path.slice(0, first);
  const repository = /[.:]|^localhost$/.test(host) ? path.slice(first + 1) : path;
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  return { repository, digest, tag: tag ?? (digest === undefined ? 'latest' : undefined) };
}

/** Digests of a repository's images that the references use. A digest counts wherever it is said to be. */
export function digestsInUse(
  repository: string,
  images: readonly { readonly digest: string; readonly tags: readonly string[] }[],
  references: readonly string[],
): ReadonlySet<string> {
  const byTag = new Map(images.flatMap((image) => image.tags.map((tag) => [tag, image.digest] as const)));
  const used = new Set<string>();
  for (const reference of references) {
    const image = readUsedImage(reference);
    if (image.digest !== undefined) used.add(image.digest);
    const tagged = image.repository === repository && image.tag !== undefined ? byTag.get(image.tag) : undefined;
    if (tagged !== undefined) used.add(tagged);
  }
  return used;
}
