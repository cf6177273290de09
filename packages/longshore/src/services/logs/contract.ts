import type { Tx } from '../../state/store.ts';

/** What other services ask of CloudWatch Logs. */
export interface LogsContract {
  /**
   * Appends messages to a stream, which is made where it is missing, within the caller's transaction. Messages are cut at what one event
   * may hold. Throws Fault ResourceNotFoundException where there is no such group.
   */
  write(
    tx: Tx<unknown>,
    to: { readonly group: string; readonly stream: string },
    /** Times in milliseconds since the epoch. */
    events: readonly { readonly timestamp: number; readonly message: string }[],
  ): Promise<void>;
}
