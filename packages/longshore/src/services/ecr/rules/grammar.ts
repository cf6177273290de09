/**
 * The grammar of names, tags, digests and paths. Nothing that these functions let through can leave the folder that a
 * file path is made in: no name has a `.` or `/` beside another, a digest is hexadecimal, an upload id a UUID.
 */

export const digestAlgorithms = { sha256: 64, sha512: 128 } as const;
export type DigestAlgorithm = keyof typeof digestAlgorithms;

export interface Digest {
  readonly algorithm: DigestAlgorithm;
  /** Lower case. */
  readonly hex: string;
}

const repositoryName = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const uploadId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** ECR's RepositoryName: 2 to 256 characters (API reference, CreateRepository). */
export function isRepositoryName(text: string): boolean {
  return text.length >= 2 && text.length <= 256 && repositoryName.test(text);
}

/** OCI distribution 1.1, "Pulling manifests": `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`. ECR's own API takes up to 300. */
export function isTag(text: string, longest = 128): boolean {
  return text.length <= longest && /^[a-zA-Z0-9_][a-zA-Z0-9._-]*$/.test(text);
}

export function isUploadId(text: string): boolean {
  return uploadId.test(text);
}

/** A digest of an algorithm that we can check, or undefined (OCI image spec, "Digests"). */
export function parseDigest(text: string): Digest | undefined {
  const colon = text.indexOf(':');
  const algorithm = text.slice(0, colon);
  const hex = text.slice(colon + 1);
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return undefined;
  if (hex.length !== digestAlgorithms[algorithm] || !/^[0-9a-f]+$/.test(hex)) return undefined;
  return { algorithm, hex };
}

export function isAlgorithm(text: string): text is DigestAlgorithm {
  return text === 'sha256' || text === 'sha512';
}

/** What a path under `/v2/` names. */
export type RegistryPath =
  | { readonly kind: 'base' }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: string };

/**
 * Takes a request's path apart, from its end, since a repository may be called `blobs/manifests`. Names and references
 * are decoded, not checked. Undefined where it is no path of OCI distribution 1.1, or badly percent-encoded.
 */
export function parseRegistryPath(pathname: string): RegistryPath | undefined {
  if (pathname === '/v2/' || pathname === '/v2') return { kind: 'base' };
  if (!pathname.startsWith('/v2/')) return undefined;
  let path: string;
  try {
    path = decodeURIComponent(pathname.slice(4));
  } catch {
    return undefined;
  }
  const parts = path.split('/');
  const last = parts.at(-1) ?? '';
  const repository = (dropped: number) => parts.slice(0, -dropped).join('/');
  if (parts.length >= 4 && parts.at(-3) === 'blobs' && parts.at(-2) === 'uploads') {
    return last === ''
      ? { kind: 'uploads', repository: repository(3) }
      : { kind: 'upload', repository: repository(3), id: last };
  }
  if (parts.length < 3) return undefined;
  const kind = parts.at(-2);
  if (kind === 'blobs') {
    if (last === 'uploads') return { kind: 'uploads', repository: repository(2) };
    return { kind: 'blob', repository: repository(2), digest: last };
  }
  if (kind === 'manifests') return { kind: 'manifest', repository: repository(2), reference: last };
  if (kind === 'tags' && last === 'list') return { kind: 'tags', repository: repository(2) };
  if (kind === 'referrers') return { kind: 'referrers', repository: repository(2), digest: last };
  return undefined;
}
