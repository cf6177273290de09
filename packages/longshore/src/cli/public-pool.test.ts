import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePool, parseRange, routesIn } from './public-pool.ts';

test('the first range that overlaps nothing taken', () => {
  assert.equal(freePool([]), '100.64.0.0/16');
  assert.equal(freePool(['100.64.128.0/17', '10.0.0.0/8']), '100.65.0.0/16');
  assert.equal(freePool(['100.64.0.0/15', '100.66.0.1/32']), '100.67.0.0/16');
  assert.throws(() => freePool(['100.64.0.0/10']), /in use/);
});

test('ranges: whole octets, a prefix, and no bits beyond it', () => {
  assert.deepEqual(parseRange('100.64.0.0/16'), { first: 0x64400000, last: 0x6440ffff });
  for (const wrong of ['100.64.0.1/16', '256.0.0.0/8', '1.2.3/8', '1.2.3.0/33', '::/0'])
    assert.equal(parseRange(wrong), undefined, wrong);
});

test('routes as the kernel tells them, without the default route', () => {
  const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0101A8C0	0003	0	0	0	00000000	0	0	0
ls1a2b	00004064	00000000	0001	0	0	0	0000FFFF	0	0	0
`;
  assert.deepEqual(routesIn(table), ['100.64.0.0/16']);
});
