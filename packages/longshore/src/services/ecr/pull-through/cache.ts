import { createHash } from 'node:crypto';
import { heldBlobs } from '../blobs.ts';
import { emitEvent } from '../image-events.ts';
import { findManifestFacts, putManifest } from '../images.ts';
import type { Ecr } from '../parts.ts';
import { findRepository, repositoryArn } from '../repositories.ts';
import { parseDigest } from '../rules/grammar.ts';
import { parseManifest } from '../rules/manifest.ts';
import { settledWithin } from '../settled.ts';
import { insertByTemplate, templateFor } from '../templates.ts';
import { type PullThroughRule, upstreamRepository } from './rules.ts';
import { upstreamCredentials } from './secrets.ts';
import { openUpstream, type Upstream, UpstreamError } from './upstream.ts';

/** A cached tag is compared with its upstream's at most once in 24 hours (user guide, "Sync an upstream registry"). */
const freshMilliseconds = 24 * 3_600_000;
/** The client that asked for a manifest asks for its blobs next, and gets them as they come; what it leaves is fetched then. */
const graceMilliseconds = 2_000;
/** Images that are completed at once. */
const mostImports = 2;

export interface CachedManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly content: Uint8Array;
}

/** A client that a blob is handed to while it comes in. */
export interface BlobClient {
  begin(size: number | undefined): void;
  /** Resolves when more may be written; false once the client is gone. */
  write(chunk: Uint8Array): Promise<boolean>;
  end(error?: unknown): void;
}

/** Images of other registries, fetched when first asked for and kept. */
export interface PullThrough {
  /** Was the tag compared with its upstream's less than 24 hours ago? */
  isFresh(repository: string, tag: string): Promise<boolean>;
  /** A manifest that was handed through and whose blobs are still being fetched. */
  pending(repository: string, reference: string): Promise<CachedManifest | undefined>;
  /** Fetches a manifest and keeps it, making the repository. One fetch at a time for the same. Throws UpstreamError. */
  manifest(rule: PullThroughRule, repository: string, reference: string): Promise<CachedManifest>;
  /** Fetches a blob into the repository and hands it to the client, unless another fetch of it is under way: then waits for that. */
  blob(rule: PullThroughRule, repository: string, digest: string, client?: BlobClient): Promise<'handed' | 'kept'>;
  blobSize(rule: PullThroughRule, repository: string, digest: string): Promise<number | undefined>;
  check(rule: PullThroughRule): Promise<void>;
  /** Goes on with images that were being completed when we stopped. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

export function openPullThrough(ecr: Ecr): PullThrough {
  const { store, clock, log, settings } = ecr;
  const upstreams = new Map<string, Upstream>();
  const manifests = new Map<string, Promise<CachedManifest>>();
  const blobs = new Map<string, Promise<void>>();
  const waiting = new Map<string, PullThroughRule>();
  const imports = new Map<string, Promise<void>>();
  const cancels = new Set<() => void>();
  let stopped = false;

  const upstreamOf = (rule: PullThroughRule): Upstream => {
    const key = JSON.stringify([rule.upstream_url, rule.credential_arn]);
    const known = upstreams.get(key);
    if (known) return known;
    const { credential_arn: arn } = rule;
    const credentials = async () => (arn === null ? undefined : upstreamCredentials(ecr, arn));
    const opened = openUpstream(rule.upstream_url, credentials, () => clock.now());
    upstreams.set(key, opened);
    return opened;
  };

  const told = (rule: PullThroughRule, repository: string, reference: string, outcome: { digest: string } | string) =>
    store.transaction((tx) =>
      emitEvent(
        ecr,
        tx,
        'ECR Pull Through Cache Action',
        {
          'rule-version': '1',
          'sync-status': typeof outcome === 'string' ? 'FAILED' : 'SUCCESS',
          'ecr-repository-prefix': rule.prefix,
          'repository-name': repository,
          'upstream-registry-url': rule.upstream_url,
          ...(parseDigest(reference) ? { 'image-digest': reference } : { 'image-tag': reference }),
          ...(typeof outcome === 'string' ? { 'failure-reason': outcome } : { 'image-digest': outcome.digest }),
        },
        [repositoryArn(settings, repository)],
      ),
    );

  async function fetchManifest(rule: PullThroughRule, repository: string, reference: string): Promise<CachedManifest> {
    let fetched: CachedManifest;
    try {
      const { mediaType, content } = await upstreamOf(rule).manifest(upstreamRepository(rule, repository), reference);
      const named = parseDigest(reference);
      const algorithm = named?.algorithm ?? 'sha256';
      const digest = `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;
      if (named && digest !== reference)
        throw new UpstreamError('unavailable', `${rule.upstream_url} sent a manifest whose digest is ${digest}`);
      // What can't be kept is not handed on either.
      parseManifest(Buffer.from(content).toString(), mediaType);
      fetched = { digest, mediaType, content };
    } catch (error) {
      const why = (error as Error).message;
      await told(rule, repository, reference, why);
      if (error instanceof UpstreamError) throw error;
      throw new UpstreamError('unavailable', `The upstream image can't be kept: ${why}`);
    }
    await keepManifest(rule, repository, reference, fetched);
    return fetched;
  }

  async function keepManifest(rule: PullThroughRule, repository: string, reference: string, fetched: CachedManifest) {
    const { digest, mediaType, content } = fetched;
    const now = clock.now();
    const row = { media_type: mediaType, content: Buffer.from(content).toString(), fetched_at: now };
    const complete = await store.transaction(async (tx) => {
      if (!(await findRepository(tx.db, repository)))
        await insertByTemplate(ecr, tx, repository, await templateFor(tx.db, repository, 'PULL_THROUGH_CACHE'));
      if (!parseDigest(reference))
        await tx.db
          .insertInto('ecr_upstream_tag')
          .values({ repository, tag: reference, digest, checked_at: now })
          .onConflict((conflict) => conflict.columns(['repository', 'tag']).doUpdateSet({ digest, checked_at: now }))
          .execute();
      const tagged = await tx.db
        .selectFrom('ecr_tag')
        .select('digest')
        .where('repository', '=', repository)
        .where('tag', '=', reference)
        .executeTakeFirst();
      const there = await findManifestFacts(tx.db, repository, digest);
      if (there && (parseDigest(reference) || tagged?.digest === digest)) return true;
      await tx.db
        .insertInto('ecr_upstream_manifest')
        .values({ repository, digest, ...row })
        .onConflict((conflict) => conflict.columns(['repository', 'digest']).doUpdateSet(row))
        .execute();
      return false;
    });
    if (!complete) completeLater(rule, repository, digest);
  }

  function completeLater(rule: PullThroughRule, repository: string, digest: string): void {
    const key = `${repository}@${digest}`;
    if (stopped || waiting.has(key) || imports.has(key)) return;
    waiting.set(key, rule);
    const cancel = clock.after(graceMilliseconds, () => {
      cancels.delete(cancel);
      startImports();
    });
    cancels.add(cancel);
  }

  function startImports(): void {
    for (const [key, rule] of waiting) {
      if (stopped || imports.size >= mostImports) return;
      waiting.delete(key);
      const at = key.lastIndexOf('@');
      const [repository, digest] = [key.slice(0, at), key.slice(at + 1)];
      const work = complete(rule, repository, digest)
        .catch((error) =>
          log.warn({ err: error, repository, digest }, 'could not complete a cached image; its next pull tries again'),
        )
        .finally(() => {
          imports.delete(key);
          startImports();
        });
      imports.set(key, work);
    }
  }

  /** Fetches what the repository lacks of an image, then makes it one of the repository's. */
  async function complete(rule: PullThroughRule, repository: string, digest: string): Promise<void> {
    const pending = await store.db
      .selectFrom('ecr_upstream_manifest')
      .selectAll()
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (!pending) return;
    const parsed = parseManifest(pending.content, pending.media_type);
    if (!parsed.isIndex)
      for (const target of new Set(parsed.references.map((reference) => reference.digest)))
        if (!stopped && (await heldBlobs(store.db, repository, [target])).size === 0)
          await fetchBlob(rule, repository, target);
    if (stopped) return;
    await store.transaction(async (tx) => {
      const tags = await tx.db
        .selectFrom('ecr_upstream_tag')
        .select('tag')
        .where('repository', '=', repository)
        .where('digest', '=', digest)
        .execute();
      for (const tag of tags.length > 0 ? tags.map((row) => row.tag) : [undefined])
        await putManifest(tx, settings, {
          repository,
          content: Buffer.from(pending.content),
          mediaType: pending.media_type,
          tag,
          digest: parseDigest(digest),
          now: clock.now(),
          sparse: true,
        });
      await tx.db
        .deleteFrom('ecr_upstream_manifest')
        .where('repository', '=', repository)
        .where('digest', '=', digest)
        .execute();
    });
    await told(rule, repository, digest, { digest });
  }

  function fetchBlob(rule: PullThroughRule, repository: string, digest: string, client?: BlobClient): Promise<void> {
    const key = `${repository}@${digest}`;
    const known = blobs.get(key);
    if (known) return known;
    const flight = transfer(rule, repository, digest, client).finally(() => blobs.delete(key));
    blobs.set(key, flight);
    return flight;
  }

  async function transfer(rule: PullThroughRule, repository: string, digest: string, client?: BlobClient) {
    const parsed = parseDigest(digest);
    if (!parsed) throw new UpstreamError('missing', `${digest} is no digest`);
    const { size, body } = await upstreamOf(rule).blob(upstreamRepository(rule, repository), digest);
    client?.begin(size);
    let listening = client !== undefined;
    async function* handing(): AsyncGenerator<Uint8Array> {
      for await (const chunk of body) {
        // A client that goes away does not end the fetch: the next one will want the blob.
        if (listening && client) listening = await client.write(chunk);
        yield chunk;
      }
    }
    try {
      const piece = { body: handing(), ...(size === undefined ? {} : { length: size }) };
      const { interruption } = await ecr.uploads.store(repository, parsed, piece);
      if (interruption !== undefined)
        throw interruption instanceof UpstreamError
          ? interruption
          : new UpstreamError('unavailable', `${rule.upstream_url} broke off: ${String(interruption)}`);
      client?.end();
    } catch (error) {
      client?.end(error);
      throw error;
    }
  }

  return {
    async isFresh(repository, tag) {
      const row = await store.db
        .selectFrom('ecr_upstream_tag')
        .select('checked_at')
        .where('repository', '=', repository)
        .where('tag', '=', tag)
        .executeTakeFirst();
      return row !== undefined && clock.now() - row.checked_at < freshMilliseconds;
    },
    async pending(repository, reference) {
      const row = await store.db
        .selectFrom('ecr_upstream_manifest as manifest')
        .leftJoin('ecr_upstream_tag as tag', (join) =>
          join.onRef('tag.repository', '=', 'manifest.repository').onRef('tag.digest', '=', 'manifest.digest'),
        )
        .select(['manifest.digest', 'manifest.media_type', 'manifest.content'])
        .where('manifest.repository', '=', repository)
        .where(({ or, eb }) => or([eb('manifest.digest', '=', reference), eb('tag.tag', '=', reference)]))
        .executeTakeFirst();
      return row && { digest: row.digest, mediaType: row.media_type, content: Buffer.from(row.content) };
    },
    manifest(rule, repository, reference) {
      const key = `${repository}:${reference}`;
      const known = manifests.get(key);
      if (known) return known;
      const flight = fetchManifest(rule, repository, reference).finally(() => manifests.delete(key));
      manifests.set(key, flight);
      return flight;
    },
    async blob(rule, repository, digest, client) {
      const alone = !blobs.has(`${repository}@${digest}`);
      await fetchBlob(rule, repository, digest, client);
      return alone && client ? 'handed' : 'kept';
    },
    blobSize: (rule, repository, digest) => upstreamOf(rule).blobSize(upstreamRepository(rule, repository), digest),
    check: (rule) =>
      openUpstream(
        rule.upstream_url,
        async () => (rule.credential_arn === null ? undefined : upstreamCredentials(ecr, rule.credential_arn)),
        () => clock.now(),
      ).check(),
    async resume() {
      stopped = false;
      const rows = await store.db.selectFrom('ecr_upstream_manifest').select(['repository', 'digest']).execute();
      for (const { repository, digest } of rows) {
        const rule = ecr.documents.ruleFor(repository);
        if (rule) completeLater(rule, repository, digest);
      }
    },
    async stop() {
      stopped = true;
      for (const cancel of cancels) cancel();
      cancels.clear();
      waiting.clear();
      await settledWithin(clock, 2_000, imports.values());
    },
  };
}
