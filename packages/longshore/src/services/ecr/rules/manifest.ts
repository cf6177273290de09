import { parseDigest } from './grammar.ts';

export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

/** OCI distribution 1.1 and ECR's quota: a manifest has at most 4 MiB. */
export const largestManifest = 4 * 1024 * 1024;

export interface Reference {
  readonly kind: 'config' | 'layer' | 'manifest';
  readonly digest: string;
  readonly size: number;
}

export interface ParsedManifest {
  readonly mediaType: string;
  readonly isIndex: boolean;
  /** What must be in the repository before: non-distributable layers, which stay where their URLs say, are left out. */
  readonly references: readonly Reference[];
  /** Config and layers. 0 for an index. */
  readonly imageSize: number;
  readonly artifactType: string | undefined;
  readonly subject: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

type Json = Record<string, unknown>;

/** Thrown by `parseManifest`; the message is for the caller. */
export class ManifestFlaw extends Error {
  override readonly name = 'ManifestFlaw';
}

/**
 * Reads an image manifest or index (OCI image spec 1.1; Docker image manifest v2 schema 2). `declared` is the request's
 * Content-Type; the document's own mediaType must not differ from it. Throws ManifestFlaw.
 */
export function parseManifest(text: string, declared: string | undefined): ParsedManifest {
  const document = object(parseJson(text), 'the manifest');
  const own = optionalText(document, 'mediaType');
  const said = declared?.split(';')[0]?.trim().toLowerCase() || undefined;
  const mediaType = own ?? said ?? guessedType(document);
  if (own && said && own !== said && said !== 'application/json')
    throw new ManifestFlaw(`the manifest's mediaType '${own}' differs from the Content-Type '${said}'`);
  if (!(Object.values(mediaTypes) as string[]).includes(mediaType ?? ''))
    throw new ManifestFlaw(`unsupported manifest media type '${mediaType ?? ''}'`);
  if (document.schemaVersion !== 2) throw new ManifestFlaw('schemaVersion must be 2');
  const isIndex = mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
  const artifactType = optionalText(document, 'artifactType');
  const common = {
    mediaType: mediaType as string,
    isIndex,
    subject: document.subject === undefined ? undefined : descriptor(document.subject, 'subject').digest,
    annotations: readAnnotations(document.annotations),
  };
  if (isIndex) {
    if (document.layers !== undefined) throw new ManifestFlaw('an index has no layers');
    const references = list(document.manifests, 'manifests').map((item, position): Reference => {
      const { digest, size } = descriptor(item, `manifests[${position}]`);
      return { kind: 'manifest', digest, size };
    });
    return { ...common, artifactType, references, imageSize: 0 };
  }
  if (document.manifests !== undefined) throw new ManifestFlaw('an image manifest has no manifests');
  const config = descriptor(document.config, 'config');
  const layers = list(document.layers, 'layers').map((item, position) => descriptor(item, `layers[${position}]`));
  const references: Reference[] = [
    { kind: 'config', digest: config.digest, size: config.size },
    ...layers
      .filter((layer) => !isNonDistributable(layer.mediaType))
      .map(({ digest, size }): Reference => ({ kind: 'layer', digest, size })),
  ];
  return {
    ...common,
    references,
    imageSize: config.size + layers.reduce((sum, layer) => sum + layer.size, 0),
    artifactType: artifactType || config.mediaType,
  };
}

/** Layers that a registry need not hold (OCI image spec, "Non-Distributable Layers"; Docker's foreign layers). */
function isNonDistributable(mediaType: string): boolean {
  return (
    mediaType.includes('.nondistributable.') || mediaType.startsWith('application/vnd.docker.image.rootfs.foreign.')
  );
}

function guessedType(document: Json): string | undefined {
  if (Array.isArray(document.manifests)) return mediaTypes.ociIndex;
  return Array.isArray(document.layers) ? mediaTypes.ociManifest : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ManifestFlaw('Invalid JSON syntax');
  }
}

function object(value: unknown, what: string): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new ManifestFlaw(`${what} must be a JSON object`);
  return value as Json;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new ManifestFlaw(`${what} must be a JSON array`);
  return value;
}

function optionalText(document: Json, member: string): string | undefined {
  const value = document[member];
  if (value === undefined || typeof value === 'string') return value;
  throw new ManifestFlaw(`${member} must be a string`);
}

function descriptor(value: unknown, what: string): { mediaType: string; digest: string; size: number } {
  const { mediaType, digest, size } = object(value, what);
  if (typeof mediaType !== 'string') throw new ManifestFlaw(`${what}.mediaType must be a string`);
  if (typeof digest !== 'string' || !parseDigest(digest))
    throw new ManifestFlaw(`${what}.digest is not a valid digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw new ManifestFlaw(`${what}.size must be a whole number of bytes`);
  return { mediaType, digest, size };
}

function readAnnotations(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const annotations = object(value, 'annotations');
  for (const text of Object.values(annotations))
    if (typeof text !== 'string') throw new ManifestFlaw('annotations must be strings');
  return annotations as Record<string, string>;
}
