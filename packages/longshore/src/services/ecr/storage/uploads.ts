import { createHash, type Hash } from 'node:crypto';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { Random } from '../../../base/random.ts';
import type { Store } from '../../../state/store.ts';
import { linkBlob } from '../blobs.ts';
import type { Digest, DigestAlgorithm } from '../rules/grammar.ts';
import type { EcrTables } from '../tables.ts';
import type { BlobStore, UploadFile } from './blob-store.ts';
import { type Ingested, ingest } from './ingest.ts';
import { claimBlob } from './leases.ts';

/** Why an upload could not go on; each face of the registry says it in its own code. */
export class UploadFlaw extends Error {
  override readonly name = 'UploadFlaw';
  readonly reason: 'unknown' | 'out-of-order' | 'wrong-digest' | 'wrong-size' | 'busy';
  /** Bytes that the upload has. */
  readonly offset: number;

  constructor(reason: UploadFlaw['reason'], message: string, offset = 0) {
    super(message);
    this.reason = reason;
    this.offset = offset;
  }
}

export interface Piece {
  readonly body: AsyncIterable<Uint8Array>;
  /** Where the sender says that the piece starts; refused (`out-of-order`) unless the upload is just so long. */
  readonly start?: number;
  /** Nobody else has the chunks of the body: their memory is given back as soon as they are written. */
  readonly owned?: boolean;
  /** How many bytes the sender says it has. */
  readonly length?: number;
}

/** Uploads under way: streamed to `uploads/<uuid>` while hashed, resumable, committed by digest. */
export interface Uploads {
  /** Starts an empty upload in a repository; its id. */
  begin(repository: string, algorithm?: DigestAlgorithm): Promise<string>;
  /** How many bytes an upload has. Throws UploadFlaw `unknown`. */
  offset(repository: string, id: string): Promise<number>;
  /** Adds a piece; the upload's length after it. Where the sender breaks off, what came is kept and `interruption` set. */
  append(repository: string, id: string, piece: Piece): Promise<{ offset: number; interruption?: unknown }>;
  /** Ends an upload: checks its digest and makes it a blob of the repository; its size. A wrong digest ends the upload. */
  finish(repository: string, id: string, digest: Digest): Promise<number>;
  cancel(repository: string, id: string): Promise<void>;
  /** A whole blob in one request. `interruption` where the sender broke off: then nothing is kept. */
  store(repository: string, digest: Digest, piece: Piece): Promise<{ size: number; interruption?: unknown }>;
  /** Removes what uploads left behind that nobody touched for `maximumAge` milliseconds. */
  sweep(maximumAge: number, signal?: AbortSignal): Promise<number>;
}

interface Session {
  /** Absent where the bytes so far were not all hashed by this process: `finish` then reads the file again. */
  hash: Hash | undefined;
  algorithm: DigestAlgorithm;
  /** Bytes that count; what a failed write left beyond is cut off. */
  offset: number;
  tail: Promise<void>;
  usedAt: number;
}

export interface UploadParts {
  readonly store: Store<EcrTables>;
  readonly files: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The account whose registry it is. */
  readonly registryId: string;
}

/** Rows deleted in one transaction. */
const sweepBatch = 500;
/** How long a request waits for another that writes to the same upload. */
const busyMilliseconds = 15_000;

export function openUploads({ store, files, clock, random, log, registryId }: UploadParts): Uploads {
  const sessions = new Map<string, Session>();

  const row = async (repository: string, id: string) => {
    const found = await store.db
      .selectFrom('ecr_upload')
      .selectAll()
      .where('id', '=', id)
      .where('repository', '=', repository)
      .executeTakeFirst();
    if (!found) throw unknownUpload(id);
    return found;
  };

  /** Runs `work` as the only one on that upload, with its file open. */
  async function exclusive<T>(
    repository: string,
    id: string,
    work: (session: Session, file: UploadFile) => Promise<T>,
  ): Promise<T> {
    const { algorithm } = await row(repository, id);
    const session = sessions.get(id) ?? {
      hash: undefined,
      algorithm: algorithm as DigestAlgorithm,
      offset: -1,
      tail: Promise.resolve(),
      usedAt: clock.now(),
    };
    sessions.set(id, session);
    const before = session.tail;
    const mine = Promise.withResolvers<void>();
    session.tail = before.then(() => mine.promise);
    try {
      await bounded(before, clock);
      const file = await files.openUpload(id);
      if (!file) {
        sessions.delete(id);
        throw unknownUpload(id);
      }
      try {
        const size = await file.size();
        if (session.offset < 0) {
          session.offset = size;
          if (size === 0) session.hash = createHash(session.algorithm);
        } else if (size > session.offset) await file.truncate(session.offset);
        session.usedAt = clock.now();
        return await work(session, file);
      } finally {
        await file.close();
      }
    } finally {
      mine.resolve();
    }
  }

  async function add(session: Session, file: UploadFile, piece: Piece): Promise<Ingested> {
    const start = session.offset;
    const undo = async () => {
      session.hash = undefined;
      await file.truncate(start).catch((error) => log.warn({ err: error }, 'could not cut off a failed write'));
    };
    let ingested: Ingested;
    try {
      ingested = await ingest(piece.body, file, start, session.hash, piece.owned);
    } catch (error) {
      await undo();
      throw error;
    }
    if (ingested.interruption === undefined && piece.length !== undefined && ingested.received !== piece.length) {
      await undo();
      throw new UploadFlaw(
        'wrong-size',
        `the chunk has ${ingested.received} bytes, not ${piece.length} as it says`,
        start,
      );
    }
    session.offset = start + ingested.received;
    return ingested;
  }

  async function check(session: Session, file: UploadFile, digest: Digest): Promise<void> {
    let hash = session.algorithm === digest.algorithm ? session.hash : undefined;
    if (!hash) {
      hash = createHash(digest.algorithm);
      for await (const chunk of file.contents(session.offset)) hash.update(chunk);
    }
    const actual = hash.copy().digest('hex');
    if (actual !== digest.hex)
      throw new UploadFlaw(
        'wrong-digest',
        `provided digest ${digest.algorithm}:${digest.hex} did not match uploaded content ${digest.algorithm}:${actual}`,
      );
  }

  async function commit(repository: string, id: string, session: Session, file: UploadFile, digest: Digest) {
    const name = `${digest.algorithm}:${digest.hex}`;
    await claimBlob(store, clock, name);
    await files.commit(id, file, digest);
    await store.transaction(async (tx) => {
      await linkBlob(tx, registryId, repository, name, session.offset, clock.now());
      await tx.db.deleteFrom('ecr_upload').where('id', '=', id).execute();
    });
    return session.offset;
  }

  const forget = async (id: string) => {
    sessions.delete(id);
    await files.removeUpload(id);
    await store.transaction(async (tx) => {
      await tx.db.deleteFrom('ecr_upload').where('id', '=', id).execute();
    });
  };

  /** Running hashes of uploads that nobody goes on with; should one, its file is read again. */
  const prune = () => {
    const now = clock.now();
    for (const [id, session] of sessions) if (now - session.usedAt > 3_600_000) sessions.delete(id);
  };

  return {
    async begin(repository, algorithm = 'sha256') {
      prune();
      const id = random.uuid();
      await store.transaction(async (tx) => {
        await tx.db
          .insertInto('ecr_upload')
          .values({ id, repository, algorithm, started_at: clock.now(), short_part_end: null })
          .execute();
      });
      await (await files.createUpload(id)).close();
      return id;
    },
    offset: (repository, id) => exclusive(repository, id, async (session) => session.offset),
    append: (repository, id, piece) =>
      exclusive(repository, id, async (session, file) => {
        if (piece.start !== undefined && piece.start !== session.offset)
          throw new UploadFlaw(
            'out-of-order',
            `the chunk starts at ${piece.start}, but the upload has ${session.offset} bytes`,
            session.offset,
          );
        const { interruption } = await add(session, file, piece);
        return { offset: session.offset, ...(interruption === undefined ? {} : { interruption }) };
      }),
    async finish(repository, id, digest) {
      try {
        const size = await exclusive(repository, id, async (session, file) => {
          await check(session, file, digest);
          return commit(repository, id, session, file, digest);
        });
        sessions.delete(id);
        return size;
      } catch (error) {
        if (error instanceof UploadFlaw && error.reason === 'wrong-digest') await forget(id);
        throw error;
      }
    },
    async cancel(repository, id) {
      await exclusive(repository, id, async () => {});
      await forget(id);
    },
    async store(repository, digest, piece) {
      const id = random.uuid();
      const file = await files.createUpload(id);
      let kept = false;
      try {
        const session: Session = {
          hash: createHash(digest.algorithm),
          algorithm: digest.algorithm,
          offset: 0,
          tail: Promise.resolve(),
          usedAt: clock.now(),
        };
        const { interruption } = await add(session, file, piece);
        if (interruption !== undefined) return { size: session.offset, interruption };
        await check(session, file, digest);
        const size = await commit(repository, id, session, file, digest);
        kept = true;
        return { size };
      } finally {
        await file.close();
        if (!kept) await files.removeUpload(id);
      }
    },
    async sweep(maximumAge, signal) {
      const oldest = clock.now() - maximumAge;
      await files.removeLeftovers?.(oldest);
      const stored = await files.listUploads();
      const living = new Set(stored.filter((upload) => upload.changedAt >= oldest).map((upload) => upload.id));
      const dead = stored.filter((upload) => !living.has(upload.id));
      for (const { id } of dead) {
        signal?.throwIfAborted();
        await files.removeUpload(id);
      }
      const rows = await store.db.selectFrom('ecr_upload').select('id').where('started_at', '<', oldest).execute();
      const gone = rows.map((row) => row.id).filter((id) => !living.has(id));
      for (let start = 0; start < gone.length; start += sweepBatch) {
        signal?.throwIfAborted();
        await store.transaction(async (tx) => {
          await tx.db
            .deleteFrom('ecr_upload')
            .where('id', 'in', gone.slice(start, start + sweepBatch))
            .execute();
        });
      }
      return Math.max(dead.length, gone.length);
    },
  };
}

function unknownUpload(id: string): UploadFlaw {
  return new UploadFlaw('unknown', `there is no upload '${id}' in this repository`);
}

async function bounded(before: Promise<void>, clock: Clock): Promise<void> {
  const stop = new AbortController();
  const late = clock.sleep(busyMilliseconds, stop.signal).then(
    () => {
      throw new UploadFlaw('busy', 'another request is still writing to this upload: ask for its status, then go on');
    },
    () => {},
  );
  try {
    await Promise.race([before, late]);
  } finally {
    stop.abort();
  }
}
