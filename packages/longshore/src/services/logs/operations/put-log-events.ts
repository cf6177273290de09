import type { PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '../../../wire/service.ts';
import { append, eventOverhead, mostEventBytes, type SizedEvent } from '../append.ts';
import { expiryOf, fault, type LogsState, requireGroup, requireStream } from '../state.ts';
import type { StreamRow } from '../tables.ts';

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html */
const limits = {
  batchBytes: mostEventBytes,
  batchSpanMs: 24 * 3_600_000,
  futureMs: 2 * 3_600_000,
  pastMs: 14 * 24 * 3_600_000,
};

/** Clients may still send and expect one; any is taken. */
export const sequenceToken = (stream: Pick<StreamRow, 'next_sequence'>): string =>
  `49${String(stream.next_sequence).padStart(54, '0')}`;

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html */
export function putLogEvents(state: LogsState): Operation<PutLogEventsRequest, PutLogEventsResponse> {
  return {
    access: ({ logGroupName, logStreamName }) => state.access(logGroupName!, logStreamName!),
    async handle(input) {
      const events = checkBatch(input.logEvents ?? []);
      return state.store.transaction(async ({ db }) => {
        const group = await requireGroup(db, input.logGroupName!);
        const stream = await requireStream(db, group, input.logStreamName!);
        const now = state.clock.now();
        const { accepted, rejected } = sift(events, now, expiryOf(group, now));
        const next_sequence = await append(db, group, stream, accepted, now);
        return {
          nextSequenceToken: sequenceToken({ next_sequence }),
          ...(rejected ? { rejectedLogEventsInfo: rejected } : {}),
        };
      });
    },
  };
}

function checkBatch(given: readonly { timestamp?: number | undefined; message?: string | undefined }[]): SizedEvent[] {
  let total = 0;
  let before = 0;
  const events = given.map(({ timestamp = 0, message = '' }) => {
    if (timestamp < before) {
      throw fault(
        'InvalidParameterException',
        'Log events in a single PutLogEvents request must be in chronological order.',
      );
    }
    before = timestamp;
    const bytes = Buffer.byteLength(message) + eventOverhead;
    total += bytes;
    if (bytes > limits.batchBytes) {
      throw fault(
        'InvalidParameterException',
        `Log event too large: ${bytes} bytes exceeds limit of ${limits.batchBytes}`,
      );
    }
    return { timestamp, message, bytes };
  });
  if (total > limits.batchBytes) {
    throw fault('InvalidParameterException', `Upload too large: ${total} bytes exceeds limit of ${limits.batchBytes}`);
  }
  const first = events[0]?.timestamp ?? 0;
  if ((events.at(-1)?.timestamp ?? 0) - first > limits.batchSpanMs) {
    throw fault(
      'InvalidParameterException',
      'The batch of log events in a single PutLogEvents request cannot span more than 24 hours.',
    );
  }
  return events;
}

/** Takes out what is too old, expired or too new. The answer's `…End` indices are exclusive, `…Start` inclusive. */
function sift(events: readonly SizedEvent[], now: number, expiry: number) {
  const before = (limit: number) => events.filter((event) => event.timestamp < limit).length;
  const tooOld = before(now - limits.pastMs);
  const expired = before(expiry);
  const tooNew = before(now + limits.futureMs + 1);
  const rejected: RejectedLogEventsInfo = {
    ...(tooOld > 0 ? { tooOldLogEventEndIndex: tooOld } : {}),
    ...(expired > 0 ? { expiredLogEventEndIndex: expired } : {}),
    ...(tooNew < events.length ? { tooNewLogEventStartIndex: tooNew } : {}),
  };
  return {
    accepted: events.slice(Math.max(tooOld, expired), tooNew),
    rejected: Object.keys(rejected).length > 0 ? rejected : undefined,
  };
}
