import { parentPort, workerData } from 'node:worker_threads';
import type { Advisory, Overlay } from '../advisories/model.ts';
import { scanExternally } from '../external/run.ts';
import { draftFindings, finishFindings, keysOf, uncovered } from '../findings.ts';
import { ImageFlaw } from '../layers/limits.ts';
import { readImage } from '../layers/read-image.ts';
import { cyclonedx } from '../sbom/cyclonedx.ts';
import type { Answer, FromWorker, Question, ScanJob, ScanOutcome } from './protocol.ts';

/** Runs in a thread of its own (see run.ts): what an image makes it do holds up nobody, and ends with it. */
const port = parentPort;
if (!port) throw new Error('this file is for worker threads');

type WithoutAsk<T> = T extends unknown ? Omit<T, 'ask'> : never;
const waiting = new Map<number, (answer: Answer) => void>();
let asked = 0;

port.on('message', (answer: Answer) => {
  waiting.get(answer.answer)?.(answer);
  waiting.delete(answer.answer);
});

function ask<T>(question: WithoutAsk<Question>): Promise<T> {
  const number = asked++;
  return new Promise((resolve, reject) => {
    waiting.set(number, ({ value, error }) => (error === undefined ? resolve(value as T) : reject(new Error(error))));
    say({ ask: number, ...question } as Question);
  });
}

function say(message: FromWorker): void {
  port?.postMessage(message);
}

/** A blob's bytes; the next piece is fetched while one is worked on. */
async function* blob(digest: string): AsyncGenerator<Uint8Array> {
  let next = ask<Uint8Array | undefined>({ what: 'read', digest });
  next.catch(() => {});
  try {
    for (;;) {
      const piece = await next;
      if (!piece) return;
      next = ask<Uint8Array | undefined>({ what: 'read', digest });
      next.catch(() => {});
      yield piece;
    }
  } finally {
    await ask({ what: 'close', digest });
  }
}

async function scan(job: ScanJob): Promise<ScanOutcome> {
  const inventory =
    job.inventory ??
    (await readImage(job.layers.map(({ digest, mediaType }) => ({ digest, mediaType, open: () => blob(digest) }))));
  const common = {
    ...(job.inventory ? {} : { inventory }),
    sbom: cyclonedx(inventory, job),
  };
  if (job.external) {
    const findings = await scanExternally(job.external, job, blob, (child) => say({ child }));
    return { ...common, findings, uncovered: { languages: [] }, empty: false };
  }
  const byKey = new Map<string, Advisory[]>();
  const keys = keysOf(inventory);
  for (let at = 0; at < keys.length; at += 300) {
    const documents = await ask<readonly string[]>({ what: 'advisories', keys: keys.slice(at, at + 300) });
    for (const document of documents) {
      const advisory = JSON.parse(document) as Advisory;
      const key = `${advisory.ecosystem}\n${advisory.name}`;
      const list = byKey.get(key);
      if (list) list.push(advisory);
      else byKey.set(key, [advisory]);
    }
  }
  const drafts = draftFindings(inventory, (ecosystem, name) => byKey.get(`${ecosystem}\n${name}`) ?? []);
  const ids = [...new Set(drafts.map((draft) => draft.id))];
  const overlays = ids.length === 0 ? [] : await ask<readonly string[]>({ what: 'overlays', ids });
  return {
    ...common,
    findings: finishFindings(
      drafts,
      overlays.map((document) => JSON.parse(document) as Overlay),
    ),
    uncovered: uncovered(inventory, new Set(job.ecosystems)),
    empty: inventory.packages.length === 0,
  };
}

scan(workerData as ScanJob).then(
  (done) => {
    say({ done });
    port.close();
  },
  (error: Error) => {
    say({
      failed: {
        message: error.message,
        unsupported: error instanceof ImageFlaw && error.unsupported,
        flaw: error instanceof ImageFlaw,
      },
    });
    port.close();
  },
);
