/** A loop that reconciles: started once after the store is open, stopped before it closes. */
export interface Controller {
  readonly name: string;
  start(): Promise<void>;
  /** Resolves when the loop has ended; bounded, idempotent. */
  stop(): Promise<void>;
}
