/** An image reference taken apart. */
export interface ImageReference {
  /** Registry host and port as written; `docker.io` where the reference names none. */
  readonly host: string;
  /** Repository path within the registry. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
  /** The reference in full, as containerd and Fargate write it in messages: `docker.io/library/nginx:latest`. */
  readonly canonical: string;
}

const repositoryPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[a-f0-9]{64}$|^sha512:[a-f0-9]{128}$/;

/**
 * Parses `[host/]repository[:tag][@digest]` by the rules of the distribution reference grammar
 * (github.com/distribution/reference): the first part is a host when it has a dot or a colon or is `localhost`.
 * Throws Error `invalid reference format`.
 */
export function parseReference(text: string): ImageReference {
  let rest = text;
  let digest: string | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    digest = rest.slice(at + 1);
    rest = rest.slice(0, at);
    if (!digestPattern.test(digest)) throw new Error('invalid reference format');
  }
  const slash = rest.indexOf('/');
  const first = slash < 0 ? '' : rest.slice(0, slash);
  const hasHost = first === 'localhost' || first.includes('.') || first.includes(':');
  const host = hasHost ? (first === 'index.docker.io' ? 'docker.io' : first) : 'docker.io';
  let repository = hasHost ? rest.slice(slash + 1) : rest;
  let tag: string | undefined;
  const colon = repository.lastIndexOf(':');
  if (colon >= 0) {
    tag = repository.slice(colon + 1);
    repository = repository.slice(0, colon);
    if (!tagPattern.test(tag)) throw new Error('invalid reference format');
  }
  if (host === 'docker.io' && !repository.includes('/')) repository = `library/${repository}`;
  if (!repositoryPattern.test(repository)) throw new Error('invalid reference format');
  if (!tag && !digest) tag = 'latest';
  const canonical = `${host}/${repository}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`;
  return { host, repository, ...(tag && { tag }), ...(digest && { digest }), canonical };
}
