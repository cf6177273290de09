import type { Controller } from '../../base/controller.ts';
import type { Logger } from '../../base/log.ts';
import { rounds } from '../../base/rounds.ts';
import { expiryOf, type LogsState } from './state.ts';

const everyMs = 60_000;
/** Rows that one transaction deletes, and one sweep: what is left waits for the next, so that writers never wait long. */
const batch = 2_000;
const mostBatches = 50;

/** Deletes events that have outlived their group's retention, and those of streams that are gone. */
export function sweeper(state: LogsState, log: Logger): Controller & { sweep(): Promise<void> } {
  const sweep = async (signal?: AbortSignal) => {
    for (let left = mostBatches; left > 0 && !signal?.aborted; left--) {
      if (!(await sweepGarbage(state)) && !(await sweepExpired(state))) return;
    }
  };
  const failed = 'deleting expired log events failed; trying again later';
  return { ...rounds({ name: 'logs.sweeper', clock: state.clock, log, everyMs, failed }, sweep), sweep };
}

/** One batch of one deleted stream; whether there was one. */
async function sweepGarbage(state: LogsState): Promise<boolean> {
  const stream = await state.db.selectFrom('logs_garbage').select('stream_id').executeTakeFirst();
  if (!stream) return false;
  await state.store.transaction(async ({ db }) => {
    const rows = await db
      .selectFrom('logs_event')
      .select(['timestamp', 'sequence', 'bytes', 'group_id'])
      .where('stream_id', '=', stream.stream_id)
      .orderBy('timestamp')
      .orderBy('sequence')
      .limit(batch)
      .execute();
    const last = rows.at(-1);
    if (last) {
      await db
        .deleteFrom('logs_event')
        .where('stream_id', '=', stream.stream_id)
        .where('timestamp', '<', last.timestamp)
        .execute();
      await db
        .deleteFrom('logs_event')
        .where('stream_id', '=', stream.stream_id)
        .where('timestamp', '=', last.timestamp)
        .where('sequence', '<=', last.sequence)
        .execute();
      await discount(db, last.group_id, rows);
    }
    if (rows.length < batch) await db.deleteFrom('logs_garbage').where('stream_id', '=', stream.stream_id).execute();
  });
  return true;
}

/** One batch of one group's expired events; whether there were any. */
async function sweepExpired(state: LogsState): Promise<boolean> {
  const groups = await state.db
    .selectFrom('logs_group')
    .select(['id', 'retention_days'])
    .where('retention_days', 'is not', null)
    .execute();
  for (const group of groups) {
    const expiry = expiryOf(group, state.clock.now());
    const count = await state.store.transaction(async ({ db }) => {
      const rows = await db
        .selectFrom('logs_event')
        .select(['stream_id', 'timestamp', 'sequence', 'bytes'])
        .where('group_id', '=', group.id)
        .where('timestamp', '<', expiry)
        .orderBy('timestamp')
        .limit(batch)
        .execute();
      for (const row of rows) {
        await db
          .deleteFrom('logs_event')
          .where('stream_id', '=', row.stream_id)
          .where('timestamp', '=', row.timestamp)
          .where('sequence', '=', row.sequence)
          .execute();
      }
      await discount(db, group.id, rows);
      return rows.length;
    });
    if (count > 0) return true;
  }
  return false;
}

async function discount(
  db: Parameters<Parameters<LogsState['store']['transaction']>[0]>[0]['db'],
  groupId: string,
  rows: readonly { readonly bytes: number }[],
): Promise<void> {
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  if (bytes === 0) return;
  await db
    .updateTable('logs_group')
    .set((eb) => ({ stored_bytes: eb('stored_bytes', '-', bytes) }))
    .where('id', '=', groupId)
    .execute();
}
