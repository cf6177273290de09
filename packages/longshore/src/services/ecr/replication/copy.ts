import { Readable } from 'node:stream';
import { findManifest } from '../images.ts';
import type { Ecr } from '../parts.ts';
import { parseDigest } from '../rules/grammar.ts';
import { parseManifest } from '../rules/manifest.ts';
import { longestPrefix } from '../templates.ts';
import { type Remote, type RemoteReply, ReplicationError } from './remote.ts';

interface RemoteTemplate {
  readonly prefix: string;
  readonly appliedFor?: readonly string[];
  readonly repositoryPolicy?: string;
  readonly lifecyclePolicy?: string;
  readonly [member: string]: unknown;
}

/** Copies an image with everything that it needs: what is there already is not sent again. Throws ReplicationError. */
export async function copyImage(ecr: Ecr, remote: Remote, repository: string, digest: string, tag: string | undefined) {
  await ensureRepository(remote, repository);
  await copyManifest(ecr, remote, repository, digest, tag);
}

async function ensureRepository(remote: Remote, repository: string): Promise<void> {
  const there = await remote.call('DescribeRepositories', { repositoryNames: [repository] }, [
    'RepositoryNotFoundException',
  ]);
  if (there) return;
  const { repositoryCreationTemplates = [] } = (await remote.call('DescribeRepositoryCreationTemplates', {
    maxResults: 1000,
  })) as { repositoryCreationTemplates?: RemoteTemplate[] };
  const candidates = repositoryCreationTemplates.filter((each) => each.appliedFor?.includes('REPLICATION'));
  const template = longestPrefix(candidates, repository);
  const given = template && {
    tags: template.resourceTags,
    imageTagMutability: template.imageTagMutability,
    imageTagMutabilityExclusionFilters: template.imageTagMutabilityExclusionFilters,
  };
  await remote.call('CreateRepository', { repositoryName: repository, ...given }, ['RepositoryAlreadyExistsException']);
  const repositoryName = repository;
  if (template?.repositoryPolicy)
    await remote.call('SetRepositoryPolicy', { repositoryName, policyText: template.repositoryPolicy });
  if (template?.lifecyclePolicy)
    await remote.call('PutLifecyclePolicy', { repositoryName, lifecyclePolicyText: template.lifecyclePolicy });
}

async function copyManifest(ecr: Ecr, remote: Remote, repository: string, digest: string, tag: string | undefined) {
  const manifest = await findManifest(ecr.store.db, repository, digest);
  if (!manifest) throw new ReplicationError('ImageNotFound', `${repository}@${digest} was deleted meanwhile`);
  const path = `/v2/${repository}/manifests/${tag ?? digest}`;
  const accept = { accept: manifest.media_type };
  const there = await remote.send('HEAD', `/v2/${repository}/manifests/${digest}`, accept);
  if (there.status !== 200)
    for (const { kind, digest: target } of parseManifest(manifest.content, manifest.media_type).references) {
      if (kind !== 'manifest') await copyBlob(ecr, remote, repository, target);
      else await copyManifest(ecr, remote, repository, target, undefined);
    }
  else if (tag === undefined) return;
  const body = Buffer.from(manifest.content);
  const headers = { 'content-type': manifest.media_type, 'content-length': String(body.length) };
  expect(await remote.send('PUT', path, headers, Readable.from([body])), [201], `the manifest ${tag ?? digest}`);
}

async function copyBlob(ecr: Ecr, remote: Remote, repository: string, digest: string): Promise<void> {
  const there = await remote.send('HEAD', `/v2/${repository}/blobs/${digest}`);
  if (there.status === 200) return;
  const parsed = parseDigest(digest);
  const blob = parsed && (await ecr.files.openBlob(parsed));
  if (!blob) throw new ReplicationError('LayerNotFound', `the blob ${digest} is not there`);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) };
  const body = blob.stream(0, blob.size - 1);
  const reply = await remote.send('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, headers, body);
  expect(reply, [201], `the blob ${digest}`);
}

function expect({ status, text }: RemoteReply, good: readonly number[], what: string): void {
  if (good.includes(status)) return;
  let code = `HTTP${status}`;
  try {
    code = JSON.parse(text).errors[0].code;
  } catch {}
  throw new ReplicationError(code, `the destination answered ${status} to ${what}: ${text.slice(0, 300)}`);
}
