import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  canonicalCidr6,
  cidrsOverlap,
  cidrWithin,
  formatAddress,
  formatCidr,
  parseAddress,
  parseCidr,
} from './cidr.ts';
import { nextFree, poolRange, subnetRange } from './next-fit.ts';
import { availabilityZones, privateDnsName } from './zones.ts';

test('addresses and ranges are read strictly and made canonical', () => {
  assert.equal(formatAddress(parseAddress('255.254.1.0')!), '255.254.1.0');
  for (const bad of ['1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5', 'a.b.c.d', '']) {
    assert.equal(parseAddress(bad), undefined, bad);
  }
  assert.equal(formatCidr(parseCidr('100.68.0.18/18')!), '100.68.0.0/18');
  assert.equal(formatCidr(parseCidr('1.2.3.4/0')!), '0.0.0.0/0');
  for (const bad of ['1.2.3.4', '1.2.3.4/33', '1.2.3.4/8/8', '1.2.3.4/']) assert.equal(parseCidr(bad), undefined, bad);
});

test('IPv6 ranges come out in the shortest form with host bits cleared', () => {
  assert.equal(canonicalCidr6('::/0'), '::/0');
  assert.equal(canonicalCidr6('2001:DB8:0:0:1:0:0:1/128'), '2001:db8::1:0:0:1/128');
  assert.equal(canonicalCidr6('2001:db8:ffff::1/33'), '2001:db8:8000::/33');
  for (const bad of ['::', '1::2::3/64', '1:2:3/64', 'g::/64', '::/129', '1:2:3:4:5:6:7:8::/64']) {
    assert.equal(canonicalCidr6(bad), undefined, bad);
  }
});

test('ranges know what lies within and what overlaps', () => {
  const [outer, inner, beside] = ['10.0.0.0/16', '10.0.128.0/20', '10.1.0.0/16'].map((text) => parseCidr(text)!);
  assert.equal(cidrWithin(outer!, inner!), true);
  assert.equal(cidrWithin(inner!, outer!), false);
  assert.equal(cidrsOverlap(inner!, outer!), true);
  assert.equal(cidrsOverlap(outer!, beside!), false);
});

test('the next free address follows the last one, wraps around, and ends when all are taken', async () => {
  const range = subnetRange(parseCidr('10.0.0.0/28')!);
  assert.deepEqual([range.first, range.last].map(formatAddress), ['10.0.0.4', '10.0.0.14']);
  const taken = new Set<number>();
  const ask = async (from: number, limit: number) =>
    [...taken]
      .filter((number) => number >= from)
      .sort((a, b) => a - b)
      .slice(0, limit);
  let cursor = 0;
  const given: string[] = [];
  for (let count = 0; count < 11; count++) {
    const number = (await nextFree(range, cursor, ask))!;
    given.push(formatAddress(number));
    taken.add(number);
    cursor = number + 1;
    if (count === 2) taken.delete(parseAddress('10.0.0.5')!);
  }
  assert.deepEqual(given.slice(0, 4), ['10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.7'], 'not the one just freed');
  assert.equal(given.at(-1), '10.0.0.14');
  assert.equal(formatAddress((await nextFree(range, cursor, ask))!), '10.0.0.5');
  taken.add(parseAddress('10.0.0.5')!);
  assert.equal(await nextFree(range, cursor, ask), undefined);
});

test('a long run of taken addresses is skipped', async () => {
  const range = poolRange(parseCidr('100.64.0.0/16')!);
  const taken = Array.from({ length: 5000 }, (_, index) => range.first + index);
  const number = await nextFree(range, 0, async (from, limit) => taken.filter((one) => one >= from).slice(0, limit));
  assert.equal(number, range.first + 5000);
});

test('zones and names follow the region', () => {
  assert.deepEqual(availabilityZones('us-east-1')[0], { name: 'us-east-1a', id: 'use1-az1' });
  assert.deepEqual(availabilityZones('ap-southeast-2')[2], { name: 'ap-southeast-2c', id: 'apse2-az3' });
  assert.deepEqual(availabilityZones('us-gov-west-1')[1], { name: 'us-gov-west-1b', id: 'usgw1-az2' });
  assert.equal(privateDnsName('us-east-1', '172.31.0.4'), 'ip-172-31-0-4.ec2.internal');
  assert.equal(privateDnsName('eu-west-1', '172.31.0.4'), 'ip-172-31-0-4.eu-west-1.compute.internal');
});
