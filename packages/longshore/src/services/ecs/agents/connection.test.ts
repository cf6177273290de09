import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { WebSocket } from 'ws';
import type { Clock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import { openConnection } from './connection.ts';

/** A clock that a test winds on: what no test could wait for. */
class Hand implements Clock {
  #now = 0;
  #due: { at: number; run: () => void }[] = [];
  now = () => this.#now;
  sleep = () => Promise.reject(new Error('not used'));
  after(ms: number, run: () => void): () => void {
    const entry = { at: this.#now + ms, run };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((one) => one !== entry);
    };
  }
  wind(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#due.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }
}

/** A socket that only notes what it is asked: a real one can't be made to fall silent for minutes in a test. */
class Line extends EventEmitter {
  readonly sent: { type: string; message: { messageId: string } }[] = [];
  readonly bufferedAmount = 0;
  ended = '';
  send = (text: string) => void this.sent.push(JSON.parse(text));
  close = (code: number) => {
    this.ended ||= `closed ${code}`;
  };
  terminate = () => {
    this.ended ||= 'terminated';
    this.emit('close');
  };
}

function open() {
  const clock = new Hand();
  const line = new Line();
  const connection = openConnection({ clock, random: systemRandom, log: silentLogger }, line as unknown as WebSocket, {
    instanceArn: 'i',
    clusterArn: 'c',
  });
  return { clock, line, connection };
}

test('a message is sent again, ever less often, and no more once it is acknowledged', () => {
  const { clock, line, connection } = open();
  connection.sendUntilAcked('PayloadMessage', { messageId: 'm' }, 'task a');
  clock.wind(15_000);
  const payloads = () => line.sent.filter((one) => one.type === 'PayloadMessage').length;
  assert.equal(payloads(), 4, 'at 0, 2, 6 and 14 s');
  connection.acked('m');
  clock.wind(20_000);
  assert.deepEqual([payloads(), connection.unacked()], [4, 0]);
});

test('a newer message about the same takes the place of the older', () => {
  const { clock, line, connection } = open();
  connection.sendUntilAcked('PayloadMessage', { messageId: 'run' }, 'task a');
  connection.sendUntilAcked('PayloadMessage', { messageId: 'stop' }, 'task a');
  clock.wind(3_000);
  assert.deepEqual(
    line.sent.map((one) => one.message.messageId),
    ['run', 'stop', 'stop'],
  );
});

test('an agent that never acknowledges is given up', () => {
  const { clock, line, connection } = open();
  connection.sendUntilAcked('PayloadMessage', { messageId: 'm' }, 'task a');
  for (let minute = 0; minute < 10 && !line.ended; minute++) {
    line.emit('message');
    clock.wind(60_000);
  }
  assert.equal(line.ended, 'closed 1011');
});

test('beats come in time, and an agent that answers none is gone', () => {
  const { clock, line } = open();
  clock.wind(60_000);
  assert.ok(line.sent.some((one) => one.type === 'HeartbeatMessage'));
  assert.equal(line.ended, '');
  clock.wind(120_000);
  assert.equal(line.ended, 'terminated');
  const beats = line.sent.length;
  clock.wind(300_000);
  assert.equal(line.sent.length, beats);
});
