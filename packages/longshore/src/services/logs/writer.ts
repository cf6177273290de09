import type { Tx } from '../../state/store.ts';
import { append, eventOverhead, mostEventBytes } from './append.ts';
import type { LogsContract } from './contract.ts';
import { type LogsState, requireGroup } from './state.ts';
import type { LogsTables, StreamRow } from './tables.ts';

/** How other services write into log groups. */
export function createWriter(state: LogsState): LogsContract {
  return {
    async write(foreign, to, events) {
      // Every service's tables lie in the one store.
      const { db } = foreign as unknown as Tx<LogsTables>;
      const group = await requireGroup(db, to.group);
      const now = state.clock.now();
      const found = await db
        .selectFrom('logs_stream')
        .selectAll()
        .where('group_id', '=', group.id)
        .where('name', '=', to.stream)
        .executeTakeFirst();
      const stream: StreamRow = found ?? {
        id: state.random.hex(16),
        group_id: group.id,
        name: to.stream,
        created_at: now,
        first_event_at: null,
        last_event_at: null,
        last_ingested_at: null,
        next_sequence: 0,
      };
      if (!found) await db.insertInto('logs_stream').values(stream).execute();
      const sized = events.map(({ timestamp, message }) => {
        const kept = cut(message, mostEventBytes - eventOverhead);
        return { timestamp, message: kept, bytes: Buffer.byteLength(kept) + eventOverhead };
      });
      await append(db, group, stream, sized, now);
    },
  };
}

/** As much of the text as fits into `bytes`, to a whole character. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  return new TextDecoder().decode(Buffer.from(text).subarray(0, bytes), { stream: true });
}
