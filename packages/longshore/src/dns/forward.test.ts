import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { empty, ownAnswer, recordsOf, udpLimit } from './answer.ts';
import { forward, nameservers } from './forward.ts';

const query = encode({ type: 'query', id: 7, flags: 1 << 8, questions: [{ type: 'A', name: 'x.test' }] });

test('resolv.conf gives at most three servers', () => {
  const text = '# c\nsearch a b\nnameserver 1.1.1.1\n nameserver ::1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n';
  assert.deepEqual(nameservers(text), ['1.1.1.1', '::1', '2.2.2.2']);
});

test('a silent resolver is given up in time, and the next one is asked', async () => {
  // Loopback addresses of our own, so that port 53 is free whatever the machine runs.
  const silent = createSocket('udp4');
  const talking = createSocket('udp4');
  await new Promise<void>((resolve) => silent.bind(53, '127.53.0.1', resolve));
  await new Promise<void>((resolve) => talking.bind(53, '127.53.0.2', resolve));
  talking.on('message', (packet, from) => talking.send(encode(empty(decode(packet), 3)), from.port, from.address));
  try {
    const answer = decode(await forward(query, ['127.53.0.1', '127.53.0.2'], 'udp', 100));
    assert.equal(answer.id, 7);
    assert.equal((answer as { rcode?: string }).rcode, 'NXDOMAIN');
    await assert.rejects(forward(query, ['127.53.0.1'], 'udp', 100), /127\.53\.0\.1 did not answer within 100 ms/);
    await assert.rejects(forward(query, [], 'udp'), /no resolver/);
  } finally {
    silent.close();
    talking.close();
  }
});

test('addresses rotate, limits follow EDNS', () => {
  const records = recordsOf({
    records: [{ name: 'X.test.', type: 'A', ttlSeconds: 1, addresses: ['1.1.1.1', '2.2.2.2'] }],
  });
  const first = (turn: number) =>
    (ownAnswer(decode(query), records, turn)?.answers?.[0] as { data: string } | undefined)?.data;
  assert.deepEqual([first(0), first(1), first(2)], ['1.1.1.1', '2.2.2.2', '1.1.1.1']);
  assert.equal(udpLimit(decode(query)), 512);
  assert.equal(
    ownAnswer(decode(encode({ type: 'query', questions: [{ type: 'A', name: 'y.test' }] })), records, 0),
    undefined,
  );
});
