import type { Logger } from '../../../base/log.ts';
import type { DocumentKind, DocumentMessage } from '../../../protocol/documents.ts';
import type { DocumentSource } from '../../contract.ts';

// biome-ignore lint/suspicious/noExplicitAny: the sources' bodies differ, and pass through unread
type AnySource = DocumentSource<any>;

export type Published = Omit<DocumentMessage, 'messageId'>;

/** The desired states that agents are sent: composed anew when they may have changed, versioned where they have. */
export interface DocumentPublisher {
  /** The newest of every kind that was composed. */
  current(): readonly Published[];
  /**
   * Composes the kinds again, after everything that was committed before the call, and hands `publish` what is new.
   * Calls that come while one composes share the next.
   */
  refresh(kinds?: readonly DocumentKind[]): Promise<void>;
}

/** Composes documents and publishes those that differ from what was published, each with a higher version. */
export function documentPublisher(
  sources: readonly AnySource[],
  nextVersion: () => number,
  publish: (document: Published) => void,
  log: Logger,
): DocumentPublisher {
  const composers = new Map(sources.map((source) => [source.kind, composer(source, nextVersion, publish)]));
  return {
    current: () => [...composers.values()].flatMap(({ latest }) => latest() ?? []),
    async refresh(kinds) {
      await Promise.all(
        [...composers].map(([kind, one]) =>
          !kinds || kinds.includes(kind)
            ? one.refresh().catch((error: unknown) => {
                log.error({ err: error, kind }, 'a document for the agents could not be composed');
                throw error;
              })
            : undefined,
        ),
      );
    },
  };
}

function composer(source: AnySource, nextVersion: () => number, publish: (document: Published) => void) {
  let latest: Published | undefined;
  let text: string | undefined;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function run(): Promise<void> {
    const document = await source.compose();
    const composed = JSON.stringify(document);
    if (composed === text) return;
    text = composed;
    latest = { kind: source.kind, version: nextVersion(), document };
    publish(latest);
  }
  function start(): Promise<void> {
    running = run().finally(() => {
      running = undefined;
    });
    return running;
  }
  return {
    latest: () => latest,
    refresh(): Promise<void> {
      if (!running) return start();
      // The one that composes may have read before the caller's commit: one more, for all who ask meanwhile.
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          return start();
        });
      return next;
    },
  };
}
