import type { AnyOperation } from '../../../wire/service.ts';
import type { LogsState } from '../state.ts';
import { filterLogEvents } from './filter-log-events.ts';
import { getLogEvents } from './get-log-events.ts';
import { groupOperations } from './groups.ts';
import { putLogEvents } from './put-log-events.ts';
import { retentionOperations } from './retention.ts';
import { streamOperations } from './streams.ts';
import { tagOperations } from './tags.ts';

/** Every operation of Logs that is answered. */
export function logsOperations(state: LogsState): Readonly<Record<string, AnyOperation>> {
  return {
    ...groupOperations(state),
    ...streamOperations(state),
    ...retentionOperations(state),
    ...tagOperations(state),
    PutLogEvents: putLogEvents(state),
    GetLogEvents: getLogEvents(state),
    FilterLogEvents: filterLogEvents(state),
  };
}
