import type { Balancer } from '../../balancer/balancer.ts';
import type { Logger } from '../../base/log.ts';
import type { Names } from '../../dns/names.ts';
import type {
  DocumentAck,
  DocumentKind,
  DocumentMessage,
  LoadBalancersDocument,
  NamesDocument,
  NetworksDocument,
} from '../../protocol/documents.ts';
import type { Networks } from '../network/networks.ts';

/** Applies the desired states that the server sends, each kind in order and beside the others, and acknowledges them. */
export class Documents {
  readonly #appliers: Readonly<Record<DocumentKind, (document: unknown) => Promise<void>>>;
  readonly #ack: (ack: DocumentAck) => void;
  readonly #log: Logger;
  /** The newest version of each kind that was taken on in this session, and the work of applying it. */
  readonly #taken = new Map<DocumentKind, { version: number; work: Promise<string | undefined> }>();

  constructor(
    parts: { readonly networks: Networks; readonly balancer: Balancer; readonly names: Names },
    ack: (ack: DocumentAck) => void,
    log: Logger,
  ) {
    this.#ack = ack;
    this.#log = log;
    this.#appliers = {
      networks: (document) => parts.networks.apply(document as NetworksDocument),
      'load-balancers': (document) => parts.balancer.apply(document as LoadBalancersDocument),
      names: async (document) => parts.names.apply(document as NamesDocument),
    };
  }

  /** A new session: the server may have been restored to an older state, so that its versions count afresh. */
  newSession(): void {
    for (const taken of this.#taken.values()) taken.version = -1;
  }

  async take({ messageId, kind, version, document }: DocumentMessage): Promise<void> {
    const apply = this.#appliers[kind];
    if (!apply) return this.#log.warn({ kind }, 'a document of a kind that this node does not know');
    const before = this.#taken.get(kind);
    let work = before?.work;
    if (!before || !work || version > before.version) {
      work = (before?.work ?? Promise.resolve(undefined)).then(() => this.#apply(kind, version, () => apply(document)));
      this.#taken.set(kind, { version, work });
    }
    const error = await work;
    this.#ack({ messageId, kind, version, ...(error && { error }) });
  }

  async #apply(kind: DocumentKind, version: number, apply: () => Promise<void>): Promise<string | undefined> {
    try {
      await apply();
      return undefined;
    } catch (error) {
      this.#log.error({ kind, version, error: String(error) }, 'could not apply a document');
      return (error as Error).message;
    }
  }
}
