import type { NamesDocument } from '../protocol/documents.ts';

/** The resolver that tasks use: answers our names, forwards the rest to the machine's own resolvers. */
export interface Names {
  start(): Promise<void>;
  apply(document: NamesDocument): void;
  stop(): Promise<void>;
}
