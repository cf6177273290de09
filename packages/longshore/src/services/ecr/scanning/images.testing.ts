import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { pushBlob, putManifestText, type Rig, sha256 } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';

export type TestEntry = Partial<Header> & { readonly name: string; readonly content?: string | Buffer };

/** A tar archive of these entries, in this order. */
export async function tar(entries: readonly TestEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content = '', ...header } of entries) archive.entry({ mode: 0o644, ...header }, content);
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const chunk of archive) parts.push(chunk as Buffer);
  return Buffer.concat(parts);
}

export interface TestLayer {
  readonly data: Buffer;
  readonly mediaType: string;
}

export async function gzipLayer(entries: readonly TestEntry[]): Promise<TestLayer> {
  return { data: gzipSync(await tar(entries)), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' };
}

/** Pushes an image of these layers; its digest, and those of the layers. */
export async function pushImage(rig: Rig, repository: string, reference: string, layers: readonly TestLayer[]) {
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
  const descriptors = [];
  for (const { data, mediaType } of layers)
    descriptors.push({ mediaType, digest: await pushBlob(rig, repository, data), size: data.length });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: await pushBlob(rig, repository, config),
      size: config.length,
    },
    layers: descriptors,
  });
  const reply = await putManifestText(rig, repository, reference, manifest);
  if (reply.status !== 201) throw new Error(`push answered ${reply.status} ${reply.body}`);
  return { digest: sha256(manifest), layers: descriptors.map((one) => one.digest) };
}

/** Layers for a reader without a registry. */
export function readable(layers: readonly (TestLayer | Buffer)[]) {
  return layers.map((layer, index) => {
    const { data, mediaType } = Buffer.isBuffer(layer)
      ? { data: layer, mediaType: 'application/vnd.oci.image.layer.v1.tar' }
      : layer;
    return {
      digest: `layer-${index}`,
      mediaType,
      async *open() {
        for (let at = 0; at < data.length; at += 10_000) yield data.subarray(at, at + 10_000);
      },
    };
  });
}
