import type { WebSocket } from 'ws';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { Random } from '../../../base/random.ts';
import type { Envelope } from '../../../protocol/payload.ts';

/** Beats come well inside the 60 s after which an agent closes a silent session. */
const heartbeatMs = 30_000;
const heartbeatJitterMs = 15_000;
/** An agent that says nothing for this long, though it is to answer every beat, is gone. */
const silentMs = 120_000;
const firstResendMs = 2_000;
const longestResendMs = 30_000;
const mostResends = 8;
/** Bytes that may wait in the socket before an agent that does not read is given up. */
const mostBuffered = 64 * 1024 * 1024;

export interface Connection {
  readonly instanceArn: string;
  readonly clusterArn: string;
  /** Sends, with no answer expected. */
  send(type: string, message: object): void;
  /**
   * Sends, and again until an acknowledgement of `messageId` comes; what stands under the same `subject` before is no longer
   * resent. A session whose agent never acknowledges is closed: the agent connects again and is told everything.
   */
  sendUntilAcked(type: string, message: { readonly messageId: string }, subject: string): void;
  acked(messageId: string): void;
  /** Messages not acknowledged yet. */
  unacked(): number;
  close(code: number, reason: string): void;
}

export interface ConnectionParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

interface Pending {
  readonly subject: string;
  cancel: () => void;
}

/** One agent's session: beats, sends, resends. */
export function openConnection(
  { clock, random, log }: ConnectionParts,
  socket: WebSocket,
  who: { readonly instanceArn: string; readonly clusterArn: string },
): Connection {
  const pending = new Map<string, Pending>();
  let cancelBeat = () => {};
  let closed = false;
  let heardAt = clock.now();

  const connection: Connection = {
    ...who,
    send(type, message) {
      if (closed) return;
      if (socket.bufferedAmount > mostBuffered) return connection.close(1011, 'the agent does not read');
      const envelope: Envelope = { type, message };
      socket.send(JSON.stringify(envelope), (error) => {
        if (error) log.debug({ err: error, type, ...who }, 'a message did not reach the agent');
      });
    },
    sendUntilAcked(type, message, subject) {
      for (const [id, other] of pending) {
        if (other.subject !== subject) continue;
        other.cancel();
        pending.delete(id);
      }
      const resend = (attempt: number, pause: number) => {
        entry.cancel = clock.after(pause, () => {
          if (attempt > mostResends) {
            log.warn({ type, ...who }, 'the agent does not acknowledge: its session is closed');
            return connection.close(1011, 'not acknowledged');
          }
          connection.send(type, message);
          resend(attempt + 1, Math.min(pause * 2, longestResendMs));
        });
      };
      const entry: Pending = { subject, cancel: () => {} };
      pending.set(message.messageId, entry);
      connection.send(type, message);
      resend(1, firstResendMs);
    },
    acked(messageId) {
      pending.get(messageId)?.cancel();
      pending.delete(messageId);
    },
    unacked: () => pending.size,
    close(code, reason) {
      if (!closed) socket.close(code, reason);
      // An agent that is gone never answers the closing handshake.
      clock.after(2_000, () => socket.terminate());
      end();
    },
  };

  function end() {
    closed = true;
    cancelBeat();
    for (const entry of pending.values()) entry.cancel();
    pending.clear();
  }
  function beat() {
    cancelBeat = clock.after(heartbeatMs + random.fraction() * heartbeatJitterMs, () => {
      if (clock.now() - heardAt > silentMs) {
        log.warn({ ...who }, 'the agent is silent: its session is ended');
        return socket.terminate();
      }
      connection.send('HeartbeatMessage', { healthy: true, messageId: random.uuid() });
      beat();
    });
  }
  socket.on('message', () => {
    heardAt = clock.now();
  });
  socket.on('close', end);
  beat();
  return connection;
}
