import type { Finding } from '../findings.ts';
import type { Inventory } from '../inventory.ts';

export interface LayerFacts {
  readonly digest: string;
  readonly mediaType: string;
}

/** What a worker is to do: look into an image, and compare what is in it with advisories. */
export interface ScanJob {
  readonly repository: string;
  readonly digest: string;
  readonly layers: readonly LayerFacts[];
  /** What an earlier scan found in the image: then no layer is read. */
  readonly inventory?: Inventory;
  /** Ecosystems that there are advisories for. */
  readonly ecosystems: readonly string[];
  readonly external?: ExternalJob;
}

/** A scan by another program. */
export interface ExternalJob {
  /** The program and its arguments; `{layout}` stands for a folder with the image as an OCI layout. */
  readonly command: readonly string[];
  readonly manifest: string;
  readonly mediaType: string;
  readonly config: string;
  /** An empty folder for the layout, which goes when the scan ends. */
  readonly folder: string;
  /** Milliseconds. */
  readonly timeout: number;
}

export interface ScanOutcome {
  /** Present where the layers were read. */
  readonly inventory?: Inventory;
  readonly sbom: string;
  readonly findings: readonly Finding[];
  readonly uncovered: { readonly system?: string; readonly languages: readonly string[] };
  readonly empty: boolean;
}

/** Questions of the worker, each answered once. */
export type Question =
  | { readonly ask: number; readonly what: 'read'; readonly digest: string }
  | { readonly ask: number; readonly what: 'close'; readonly digest: string }
  | {
      readonly ask: number;
      readonly what: 'advisories';
      readonly keys: readonly { readonly ecosystem: string; readonly name: string }[];
    }
  | { readonly ask: number; readonly what: 'overlays'; readonly ids: readonly string[] };

export type FromWorker =
  | Question
  /** The process of an external scanner, which must not outlive the scan; 0 when it has ended. */
  | { readonly child: number }
  | { readonly done: ScanOutcome }
  | { readonly failed: { readonly message: string; readonly unsupported: boolean; readonly flaw: boolean } };

/** `value`: a piece of a blob (undefined at its end), or documents. */
export interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly error?: string;
}
