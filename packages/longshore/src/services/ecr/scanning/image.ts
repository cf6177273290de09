import { ImageFlaw } from './layers/limits.ts';
import type { LayerFacts } from './worker/protocol.ts';

/** The config and layers of an image's manifest. Throws ImageFlaw where they are of a kind that we don't read. */
export function partsOf(content: string): { readonly config: string; readonly layers: readonly LayerFacts[] } {
  const { config, layers } = JSON.parse(content) as {
    config: { digest: string };
    layers: readonly { digest: string; mediaType: string }[];
  };
  const strange = layers.find(({ mediaType }) => !isTar(mediaType));
  if (strange)
    throw new ImageFlaw(`UnsupportedImageError: layers of type ${strange.mediaType.slice(0, 100)} can't be read`, true);
  return { config: config.digest, layers: layers.map(({ digest, mediaType }) => ({ digest, mediaType })) };
}

/** Layers that the registry holds and that are tar archives, packed or not (OCI image spec, "Image layer"; Docker's schema 2). */
function isTar(mediaType: string): boolean {
  return (
    /^application\/vnd\.oci\.image\.layer\.v1\.tar(\+gzip|\+zstd)?$/.test(mediaType) ||
    /^application\/vnd\.docker\.image\.rootfs\.diff\.tar(\.gzip|\.zstd)?$/.test(mediaType)
  );
}
