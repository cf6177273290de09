import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Controller } from '../../../base/controller.ts';
import type { Tx, Watch } from '../../../state/store.ts';
import { findManifest, type ManifestRow, tagsOf } from '../images.ts';
import type { Ecr } from '../parts.ts';
import { findRepository, repositoryArn } from '../repositories.ts';
import type { AdvisoryStore } from './advisories/store.ts';
import { frequencyOf } from './configuration.ts';
import { countSeverities } from './findings.ts';
import { partsOf } from './image.ts';
import type { Inventory } from './inventory.ts';
import { ImageFlaw } from './layers/limits.ts';
import { keepSbom } from './sbom/keep.ts';
import { configurationOf, findScan, requestScan, type ScanRow } from './scans.ts';
import type { ExternalJob, ScanOutcome } from './worker/protocol.ts';
import { runScan, usualBounds, type WorkerBounds } from './worker/run.ts';

/** Grows when the reader learns to find more, so that what an older one found is found again. */
const readerVersion = 1;
const atOnce = 2;
/** A scan that was cut off so many times is given up: it may be what brings the process down. */
const mostAttempts = 3;
const findingsInTransaction = 200;
const mostFindings = 20_000;
const mostInventoryBytes = 32 * 1024 * 1024;

export interface ScannerOptions {
  /** Another program that scans instead of us: its path and arguments. */
  readonly external?: readonly string[];
  readonly bounds?: WorkerBounds;
}

/**
 * Scans the images whose scan is asked for, two at once, each in a worker thread. What is under way when the process ends is begun again
 * at the next start. New advisories have the images of repositories with CONTINUOUS_SCAN compared again; their layers are not read twice.
 */
export function imageScanner(ecr: Ecr, advisories: AdvisoryStore, options: ScannerOptions = {}): Controller {
  const { store, log, clock } = ecr;
  const bounds = options.bounds ?? usualBounds;
  const running = new Map<string, Promise<void>>();
  let watches: Watch[] = [];
  let stopping = new AbortController();

  /** Takes waiting scans as far as there is room for them. */
  async function take(): Promise<void> {
    while (running.size < atOnce && !stopping.signal.aborted) {
      const waiting = await store.db
        .selectFrom('ecr_image_scan')
        .selectAll()
        .where('status', '=', 'PENDING')
        .orderBy('requested_at')
        .limit(atOnce * 2)
        .execute();
      const next = waiting.find((row) => !running.has(keyOf(row)));
      if (!next || running.size >= atOnce || stopping.signal.aborted) return;
      const key = keyOf(next);
      const work = scanOne(next)
        .catch((error: unknown) => log.error({ err: error, image: key }, 'a scan could not be noted'))
        .finally(() => {
          running.delete(key);
          void take().catch((error: unknown) => log.warn({ err: error }, 'could not look for waiting scans'));
        });
      running.set(key, work);
    }
  }

  async function scanOne(row: ScanRow): Promise<void> {
    const { signal } = stopping;
    const { repository, digest } = row;
    await set(row, { status: 'IN_PROGRESS', attempts: row.attempts + 1 });
    try {
      const manifest = await findManifest(store.db, repository, digest);
      if (!manifest) return;
      const outcome = await scanImage(manifest, signal);
      await keepSbom(ecr, manifest, outcome.sbom).catch((error: unknown) =>
        log.warn({ err: error, image: keyOf(row) }, 'an SBOM could not be stored'),
      );
      await conclude(row, outcome);
    } catch (error) {
      if (signal.aborted) return set(row, { status: 'PENDING', attempts: row.attempts });
      const reason = error instanceof Error ? error.message : String(error);
      if (!(error instanceof ImageFlaw)) log.error({ err: error, image: keyOf(row) }, 'a scan failed');
      await fail(row, reason);
    }
  }

  async function scanImage(manifest: ManifestRow, signal: AbortSignal): Promise<ScanOutcome> {
    const { config, layers } = partsOf(manifest.content);
    const inventory = await knownInventory(manifest.digest);
    const sources = await advisories.list();
    const folder = options.external && (await mkdtemp(join(tmpdir(), 'longshore-scan-')));
    try {
      const external: ExternalJob | undefined =
        options.external && folder
          ? {
              command: options.external,
              manifest: manifest.content,
              mediaType: manifest.media_type,
              config,
              folder,
              timeout: Math.floor(bounds.time * 0.9),
            }
          : undefined;
      const outcome = await runScan(
        {
          repository: manifest.repository,
          digest: manifest.digest,
          layers,
          ecosystems: [...new Set(sources.flatMap((source) => source.ecosystems))],
          ...(inventory ? { inventory } : {}),
          ...(external ? { external } : {}),
        },
        { files: ecr.files, advisories },
        bounds,
        signal,
      );
      if (outcome.inventory) await keepInventory(manifest.digest, outcome.inventory);
      return outcome;
    } finally {
      if (folder) await rm(folder, { recursive: true, force: true });
    }
  }

  async function knownInventory(digest: string): Promise<Inventory | undefined> {
    const row = await store.db
      .selectFrom('ecr_image_inventory')
      .select('document')
      .where('digest', '=', digest)
      .where('reader', '=', readerVersion)
      .executeTakeFirst();
    return row && (JSON.parse(row.document) as Inventory);
  }

  async function keepInventory(digest: string, inventory: Inventory): Promise<void> {
    const document = JSON.stringify(inventory);
    // An enormous one is found again when it is needed.
    if (document.length > mostInventoryBytes) return;
    const row = { reader: readerVersion, found_at: clock.now(), document };
    await store.transaction(async (tx) => {
      await tx.db
        .insertInto('ecr_image_inventory')
        .values({ digest, ...row })
        .onConflict((conflict) => conflict.column('digest').doUpdateSet(row))
        .execute();
    });
  }

  async function conclude(row: ScanRow, outcome: ScanOutcome): Promise<void> {
    if (outcome.empty)
      return fail(row, 'UnsupportedImageError: The operating system and/or package manager are not supported.');
    const { system, languages } = outcome.uncovered;
    if (system !== undefined)
      return fail(row, `There are no advisories for ${system}: import them with \`longshore advisories import\`.`);
    const said =
      languages.length > 0 ? `Not compared, since there are no advisories for: ${languages.join(', ')}.` : null;
    const run = ecr.random.uuid();
    const findings = outcome.findings.slice(0, mostFindings);
    for (let at = 0; at < findings.length; at += findingsInTransaction) {
      await store.transaction(async (tx) => {
        await tx.db
          .insertInto('ecr_image_finding')
          .values(
            findings.slice(at, at + findingsInTransaction).map((finding, index) => ({
              repository: row.repository,
              digest: row.digest,
              run,
              position: at + index,
              document: JSON.stringify(finding),
            })),
          )
          .execute();
      });
      await breathe();
    }
    const sources = await advisories.list();
    const newest = Math.max(0, ...sources.map((source) => source.updatedAt));
    await finish(row, {
      status: 'COMPLETE',
      description: said,
      advisories_at: newest || null,
      counts: JSON.stringify(countSeverities(findings)),
      run,
    });
  }

  async function fail(row: ScanRow, reason: string): Promise<void> {
    await finish(row, {
      status: 'FAILED',
      description: reason.slice(0, 1000),
      advisories_at: null,
      counts: null,
      run: null,
    });
  }

  /** Ends a scan, with its event, unless the image went away meanwhile; then its findings go too. */
  async function finish(
    row: ScanRow,
    result: Pick<ScanRow, 'status' | 'description' | 'advisories_at' | 'counts' | 'run'>,
  ): Promise<void> {
    const { repository, digest } = row;
    const now = clock.now();
    await store.transaction(async (tx) => {
      const scan = await findScan(tx.db, repository, digest);
      if (scan)
        await tx.db
          .updateTable('ecr_image_scan')
          .set({ ...result, completed_at: now })
          .where('repository', '=', repository)
          .where('digest', '=', digest)
          .execute();
      await tx.db
        .deleteFrom('ecr_image_finding')
        .where('repository', '=', repository)
        .where('digest', '=', digest)
        .$if(scan !== undefined && result.run !== null, (query) => query.where('run', '!=', result.run as string))
        .execute();
      if (!scan) return;
      tx.changed('ecr.image-scan', keyOf(row));
      const tags = (await tagsOf(tx.db, repository, [digest])).get(digest) ?? [];
      // https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html, "Event for a completed image scan"
      await ecr.neighbours.events?.emit(tx as unknown as Tx<unknown>, {
        source: 'aws.ecr',
        detailType: 'ECR Image Scan',
        resources: [repositoryArn(ecr.settings, repository)],
        time: now,
        detail: {
          'scan-status': result.status,
          'repository-name': repository,
          'finding-severity-counts': result.counts === null ? {} : JSON.parse(result.counts),
          'image-digest': digest,
          'image-tags': tags,
        },
      });
    });
  }

  async function set(
    row: ScanRow,
    values: Partial<Pick<ScanRow, 'status' | 'attempts' | 'description'>>,
  ): Promise<void> {
    await store.transaction(async (tx) => {
      await tx.db
        .updateTable('ecr_image_scan')
        .set(values)
        .where('repository', '=', row.repository)
        .where('digest', '=', row.digest)
        .execute();
    });
  }

  /** Scans that were under way when the process ended are begun again, or given up. */
  async function recover(): Promise<void> {
    const cutOff = await store.db
      .selectFrom('ecr_image_scan')
      .selectAll()
      .where('status', '=', 'IN_PROGRESS')
      .execute();
    for (const row of cutOff) {
      if (row.attempts >= mostAttempts) await fail(row, `The scan was cut off ${row.attempts} times and is given up.`);
      else await set(row, { status: 'PENDING' });
    }
    await advisories.sweep();
  }

  /** Compares images anew with advisories that have just come. */
  async function scanAgain(): Promise<void> {
    const configuration = await configurationOf(store.db);
    if (configuration.scanType !== 'ENHANCED') return;
    const rows = await store.db
      .selectFrom('ecr_image_scan')
      .selectAll()
      .where('status', 'in', ['COMPLETE', 'FAILED'])
      .execute();
    for (const row of rows) {
      const repository = await findRepository(store.db, row.repository);
      if (!repository || frequencyOf(configuration, repository).frequency !== 'CONTINUOUS_SCAN') continue;
      await store.transaction((tx) => requestScan(tx, row.repository, row.digest, clock.now()));
    }
  }

  return {
    name: 'ecr.scanner',
    async start() {
      stopping = new AbortController();
      await recover();
      watches = [
        store.watch(['ecr.image-scan'], () => take()),
        store.watch(['ecr.advisories'], async () => {
          await scanAgain();
          await take();
        }),
      ];
      await take();
    },
    async stop() {
      stopping.abort(new Error('Longshore is stopping'));
      for (const watch of watches) await watch.stop();
      watches = [];
      await Promise.all(running.values());
    },
  };
}

function keyOf({ repository, digest }: Pick<ScanRow, 'repository' | 'digest'>): string {
  return `${repository}@${digest}`;
}
