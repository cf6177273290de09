import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SecurityRule, VpcDocument } from '../../protocol/documents.ts';
import { namesOf } from './addresses.ts';
import { difference, whole } from './ruleset.ts';
import { routerRuleset, ruleOf } from './security.ts';

const peer = { cidr: '10.0.0.0/8' };
const said = (rule: SecurityRule): string => ruleOf(rule, 'saddr', 'accept').join();
const document = (members: number, groupIds: string[], ingress: SecurityRule[] = []): VpcDocument => ({
  vpcId: 'vpc-1',
  cidrBlocks: ['10.0.0.0/16'],
  subnets: [{ subnetId: 'subnet-1', cidrBlock: '10.0.0.0/20', internet: 'nat' }],
  securityGroups: ['sg-1', 'sg-2'].map((groupId) => ({ groupId, ingress, egress: [] })),
  interfaces: Array.from({ length: members }, (_, index) => ({
    interfaceId: `eni-${index}`,
    subnetId: 'subnet-1',
    macAddress: '02:00:00:00:00:01',
    privateAddress: `10.0.0.${index + 1}`,
    groupIds,
  })),
});
const ruleset = (...what: Parameters<typeof document>) => routerRuleset(document(...what), '169.254.176.1');

test('each kind of rule in nft’s words', () => {
  assert.equal(said({ protocol: 'all', peer: { cidr: '0.0.0.0/0' } }), 'accept');
  assert.equal(said({ protocol: 'tcp', from: 80, to: 80, peer }), 'ip saddr 10.0.0.0/8 tcp dport 80 accept');
  assert.equal(
    said({ protocol: 'udp', from: 1, to: 9, peer: { groupId: 'sg-9' } }),
    'ip saddr @g.sg-9 udp dport 1-9 accept',
  );
  assert.equal(said({ protocol: 'tcp', from: 0, to: 65535, peer }), 'ip saddr 10.0.0.0/8 meta l4proto tcp accept');
  assert.equal(said({ protocol: 'icmp', from: 8, to: 0, peer }), 'ip saddr 10.0.0.0/8 icmp type 8 icmp code 0 accept');
  assert.equal(said({ protocol: 'icmp', from: -1, to: -1, peer }), 'ip saddr 10.0.0.0/8 meta l4proto icmp accept');
  assert.equal(said({ protocol: 50, peer }), 'ip saddr 10.0.0.0/8 meta l4proto 50 accept');
  assert.equal(said({ protocol: 'all', peer: { cidr6: '::/0' } }), '', 'this table is IPv4');
});

test('nothing of a document becomes a command', () => {
  assert.throws(() => said({ protocol: 'all', peer: { cidr: '10.0.0.0/8; drop' } }), /no IPv4 address/);
  assert.throws(() => said({ protocol: 'all', peer: { groupId: 'sg-1 }\nflush ruleset' } }), /can't name/);
  assert.throws(() => namesOf('a b'), /can't name/);
});

test('device names fit the kernel, whatever the ids', () => {
  const names = namesOf('1a2b');
  assert.ok(names.hostDevice('vpc-0123456789abcdef0').length <= 15);
});

test('one more member is a handful of elements; members with the same groups share their chains', () => {
  const two = ruleset(2, ['sg-1', 'sg-2']);
  const three = ruleset(3, ['sg-2', 'sg-1']);
  assert.deepEqual([...two.chains.keys()], [...three.chains.keys()]);
  const lines = difference(two, three).trim().split('\n');
  assert.equal(lines.length, 6);
  assert.ok(
    lines.every((line) => line.startsWith('add element')),
    lines.join('\n'),
  );
  assert.equal(difference(three, three), '');
});

test('a changed rule rewrites its group’s chain alone; base chains are never deleted', () => {
  const before = ruleset(2, ['sg-1']);
  const after = ruleset(2, ['sg-1'], [{ protocol: 'tcp', from: 80, to: 80, peer }]);
  assert.deepEqual(difference(before, after).trim().split('\n'), [
    'flush chain ip longshore in.sg-1',
    'add rule ip longshore in.sg-1 ip saddr 10.0.0.0/8 tcp dport 80 accept',
    'flush chain ip longshore in.sg-2',
    'add rule ip longshore in.sg-2 ip saddr 10.0.0.0/8 tcp dport 80 accept',
  ]);
  const present = { chains: [...before.chains.keys(), 'left'], sets: [{ name: 'old', map: true }] };
  const all = whole(after, present).trim().split('\n');
  assert.deepEqual(
    all.filter((line) => line.startsWith('delete')),
    ['delete chain ip longshore left', 'delete map ip longshore old'],
  );
});

test('moving to another group replaces verdicts and drops the chains that nobody needs', () => {
  const text = difference(ruleset(1, ['sg-1']), ruleset(1, ['sg-2']));
  assert.match(text, /delete element ip longshore ingress-of \{ 10\.0\.0\.1 \}/);
  assert.match(text, /add element ip longshore ingress-of \{ 10\.0\.0\.1 : goto in-/);
  assert.equal(text.match(/^delete chain/gm)?.length, 2);
});
