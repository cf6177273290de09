import { CommandError } from './output.ts';

export interface ImageName {
  readonly repository: string;
  readonly imageId: { readonly imageTag?: string; readonly imageDigest?: string };
}

/** `NAME`, `NAME:TAG`, `NAME@DIGEST`, also with the registry's host before: a host has a dot or a port. Throws CommandError. */
export function parseImageName(text: string): ImageName {
  const [, path = '', digest] = /^([^@]+)(?:@(sha(?:256|512):[0-9a-f]+))?$/.exec(text) ?? [];
  const local = path.replace(/^(localhost|[^/]+[.:][^/]*)\//, '');
  const [, repository = '', tag] = /^([^:]+)(?::([\w.-]+))?$/.exec(local) ?? [];
  if (!/^[a-z0-9][a-z0-9._/-]*$/.test(repository))
    throw new CommandError(`${text} is no name of an image.`, {
      hint: 'Name it as REPOSITORY:TAG or REPOSITORY@sha256:….',
    });
  return { repository, imageId: digest ? { imageDigest: digest } : { imageTag: tag ?? 'latest' } };
}
