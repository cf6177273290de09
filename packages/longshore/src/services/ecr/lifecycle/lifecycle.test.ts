import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideLifecycle, type LifecycleImage } from './decide.ts';
import { LifecycleFlaw, type LifecycleRule, matchesTags, parseLifecyclePolicy } from './grammar.ts';
import { digestsInUse, readUsedImage } from './in-use.ts';

const day = 24 * 3_600_000;
const now = 1_000 * day;

type Json = Record<string, unknown>;
const rule = (rulePriority: unknown, selection: Json, action: Json = { type: 'expire' }) => ({
  rulePriority,
  selection,
  action,
});
const policy = (...rules: unknown[]) => parseLifecyclePolicy(JSON.stringify({ rules }));
const count = (countNumber: unknown, more: Json = {}) => ({
  tagStatus: 'any',
  countType: 'imageCountMoreThan',
  countNumber,
  ...more,
});
const days = (countNumber: unknown, more: Json = {}) => ({
  tagStatus: 'any',
  countType: 'sinceImagePushed',
  countUnit: 'days',
  countNumber,
  ...more,
});
const image = (digest: string, age: number, more: Partial<LifecycleImage> = {}): LifecycleImage => ({
  digest,
  tags: [],
  archived: false,
  pushedAt: now - age * day,
  pulledAt: null,
  archivedAt: null,
  activatedAt: null,
  subject: null,
  children: [],
  ...more,
});
const fates = (rules: readonly LifecycleRule[], images: readonly LifecycleImage[], inUse?: ReadonlySet<string>) =>
  Object.fromEntries(
    decideLifecycle(rules, images, now, inUse).map(({ digest, action, priority }) => [digest, `${action} ${priority}`]),
  );

test('the grammar takes what ECR takes', () => {
  const archive = { type: 'transition', targetStorageClass: 'archive' };
  const rules = policy(
    rule(20, days(30, { countType: 'sinceImagePulled' }), archive),
    rule(3, days(14, { tagStatus: 'untagged' })),
    rule(1, count(5, { tagStatus: 'tagged', tagPrefixList: ['prod', 'v'] })),
    rule(2, count(5, { tagStatus: 'tagged', tagPatternList: ['*a*b*c*'], storageClass: 'standard' })),
    rule(9, days(90, { countType: 'sinceImageTransitioned', storageClass: 'archive' })),
  );
  assert.deepEqual(
    rules.map((each) => each.priority),
    [1, 2, 3, 9, 20],
  );
  assert.deepEqual(rules[0]?.patterns, ['prod*', 'v*']);
});

test('the grammar refuses what ECR refuses', () => {
  const bad: readonly [string, RegExp, ...unknown[]][] = [
    ['no rules', /rules/],
    ['priority 0', /rulePriority/, rule(0, count(1))],
    [
      'priority twice',
      /two rules have the rulePriority 1/,
      rule(1, count(1, { tagStatus: 'untagged' })),
      rule(1, count(1)),
    ],
    ['any first', /highest rulePriority/, rule(1, count(1)), rule(2, count(1, { tagStatus: 'untagged' }))],
    [
      'untagged twice',
      /same images/,
      rule(1, count(1, { tagStatus: 'untagged' })),
      rule(2, days(1, { tagStatus: 'untagged' })),
    ],
    ['tagged without tags', /tagPrefixList or tagPatternList/, rule(1, count(1, { tagStatus: 'tagged' }))],
    ['both lists', /either/, rule(1, count(1, { tagStatus: 'tagged', tagPrefixList: ['a'], tagPatternList: ['a'] }))],
    ['tags with any', /only be given/, rule(1, count(1, { tagPrefixList: ['a'] }))],
    ['five wildcards', /more than 4/, rule(1, count(1, { tagStatus: 'tagged', tagPatternList: ['*****'] }))],
    ['unit with count', /countUnit/, rule(1, count(1, { countUnit: 'days' }))],
    ['days without unit', /countUnit/, rule(1, days(1, { countUnit: undefined }))],
    ['weeks', /countUnit/, rule(1, days(1, { countUnit: 'weeks' }))],
    ['half an image', /countNumber/, rule(1, count(0.5))],
    ['pulled expires', /not supported/, rule(1, days(1, { countType: 'sinceImagePulled' }))],
    [
      'early out of the archive',
      /at least 90/,
      rule(1, days(89, { countType: 'sinceImageTransitioned', storageClass: 'archive' })),
    ],
    ['archive not named', /storageClass/, rule(1, days(90, { countType: 'sinceImageTransitioned' }))],
    ['pushed of the archive', /storageClass/, rule(1, days(1, { storageClass: 'archive' }))],
    ['transition nowhere', /targetStorageClass/, rule(1, days(1), { type: 'transition' })],
    ['expire somewhere', /targetStorageClass/, rule(1, days(1), { type: 'expire', targetStorageClass: 'archive' })],
    ['keep', /type must be one of/, rule(1, days(1), { type: 'keep' })],
    ['stray member', /'color'/, rule(1, days(1, { color: 'red' }))],
  ];
  for (const [what, words, ...rules] of bad)
    assert.throws(
      () => policy(...rules),
      (error) => error instanceof LifecycleFlaw && words.test(error.message),
      what,
    );
  assert.throws(() => parseLifecyclePolicy('{'), LifecycleFlaw);
});

test('entries of a tag list are all to match', () => {
  const [both] = policy(rule(1, count(1, { tagStatus: 'tagged', tagPatternList: ['prod*', '*web'] })));
  assert.ok(both);
  assert.ok(matchesTags(both, ['prod-1', 'my-web']));
  assert.ok(matchesTags(both, ['prod-web']));
  assert.ok(!matchesTags(both, ['prod-1']));
});

test('the oldest beyond a count go, and age counts from the restoring where there was one', () => {
  const images = [image('a', 9), image('b', 8), image('c', 7), image('d', 30, { activatedAt: now - day })];
  assert.deepEqual(fates(policy(rule(1, count(2))), images), { a: 'expire 1', b: 'expire 1' });
  assert.deepEqual(fates(policy(rule(1, days(8))), images), { a: 'expire 1' });
});

test('a rule shields what it selects from the rules after it, which still count it', () => {
  const rules = policy(rule(1, count(1, { tagStatus: 'tagged', tagPrefixList: ['prod'] })), rule(2, count(1)));
  const images = [image('p1', 9, { tags: ['prod1'] }), image('p2', 8, { tags: ['prod2'] }), image('x', 7)];
  assert.deepEqual(fates(rules, images), { p1: 'expire 1' });
  const newer = [...images, image('y', 6)];
  assert.deepEqual(fates(rules, newer), { p1: 'expire 1', x: 'expire 2' });
});

test('what an index needs stays; referrers follow; what runs stays', () => {
  const images = [
    image('index', 5, { children: ['amd', 'arm'] }),
    image('amd', 40),
    image('arm', 40),
    image('old', 40),
    image('signature', 1, { subject: 'old' }),
    image('its-sbom', 1, { subject: 'signature' }),
    image('stray', 40, { subject: 'gone' }),
    image('running', 40),
  ];
  assert.deepEqual(fates(policy(rule(1, days(30))), images, new Set(['running'])), {
    old: 'expire 1',
    signature: 'expire 1',
    'its-sbom': 'expire 1',
    stray: 'expire 1',
  });
});

test('images go to the archive by last pull, and from there after their time', () => {
  const rules = policy(
    rule(1, days(30, { countType: 'sinceImagePulled' }), { type: 'transition', targetStorageClass: 'archive' }),
    rule(2, days(90, { countType: 'sinceImageTransitioned', storageClass: 'archive' })),
  );
  const images = [
    image('pulled', 60, { pulledAt: now - day }),
    image('never', 60),
    image('fresh', 2),
    image('restored', 60, { pulledAt: now - 40 * day, archivedAt: now - 5 * day, activatedAt: now - day }),
    image('archived', 300, { archived: true, archivedAt: now - 91 * day }),
    image('resting', 300, { archived: true, archivedAt: now - 10 * day }),
  ];
  assert.deepEqual(fates(rules, images), { never: 'transition 1', archived: 'expire 2' });
});

test('properties of every decision, on random repositories', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T;
  for (let round = 0; round < 400; round++) {
    const digests = Array.from({ length: 1 + random(25) }, (_, n) => `d${n}`);
    const images = digests.map((digest, n) =>
      image(digest, random(200), {
        tags: pick([[], [], ['prod1'], ['prod2', 'web'], ['dev']]),
        archived: random(5) === 0,
        archivedAt: random(2) ? now - random(200) * day : null,
        pulledAt: random(2) ? now - random(100) * day : null,
        subject: random(5) === 0 && n > 0 ? pick(digests.slice(0, n)) : null,
        children: random(6) === 0 && n > 0 ? [pick(digests.slice(0, n))] : [],
      }),
    );
    const archive = { type: 'transition', targetStorageClass: 'archive' };
    const rules = policy(
      ...[
        rule(1, count(1 + random(4), { tagStatus: 'tagged', tagPrefixList: ['prod'] })),
        rule(2, days(1 + random(150), { tagStatus: 'untagged' }), pick([archive, { type: 'expire' }])),
        rule(3, days(90, { countType: 'sinceImageTransitioned', storageClass: 'archive' })),
        rule(4, days(150, { tagStatus: 'tagged', tagPatternList: ['*eb'] })),
      ].filter(() => random(4) > 0),
      rule(9, count(1 + random(10))),
    );
    const inUse = new Set(digests.filter(() => random(8) === 0));
    const verdicts = decideLifecycle(rules, images, now, inUse);
    const byDigest = new Map(verdicts.map((verdict) => [verdict.digest, verdict]));
    const of = new Map(images.map((each) => [each.digest, each]));
    assert.equal(byDigest.size, verdicts.length, 'one verdict an image');
    for (const { digest, action, priority } of verdicts) {
      const each = of.get(digest);
      assert.ok(each && !inUse.has(digest), 'what runs stays');
      assert.ok(!images.some((other) => other.children.includes(digest)), 'what an index needs stays');
      assert.ok(action !== 'transition' || !each.archived, 'nothing is archived twice');
      if (each.subject !== null && of.has(each.subject)) {
        assert.equal(byDigest.get(each.subject)?.priority, priority, 'a referrer goes with its subject only');
        continue;
      }
      const first = rules.find(
        (one) => each.archived === (one.storageClass === 'archive') && matchesTags(one, each.tags),
      );
      assert.equal(first?.priority, priority, 'the first rule that selects an image is the only one that acts on it');
    }
    assert.deepEqual(
      decideLifecycle(rules, [...images].reverse(), now, inUse)
        .map((verdict) => verdict.digest)
        .sort(),
      [...byDigest.keys()].sort(),
      'the order in which images come changes nothing',
    );
  }
});

test('references of tasks are read whatever the registry was called', () => {
  assert.deepEqual(readUsedImage('localhost:4566/team/app:v1'), {
    repository: 'team/app',
    tag: 'v1',
    digest: undefined,
  });
  assert.equal(readUsedImage('1.dkr.ecr.eu-west-1.amazonaws.com/app').tag, 'latest');
  assert.equal(readUsedImage('team/app').repository, 'team/app');
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.deepEqual(readUsedImage(`localhost/app:v1@${digest}`), { repository: 'app', tag: 'v1', digest });
  const images = [
    { digest: 'd1', tags: ['v1'] },
    { digest: 'd2', tags: ['v2'] },
  ];
  const used = ['localhost:1/app:v1', 'localhost:1/other:v2', `localhost:1/app@${digest}`];
  assert.deepEqual([...digestsInUse('app', images, used)], ['d1', digest]);
});
