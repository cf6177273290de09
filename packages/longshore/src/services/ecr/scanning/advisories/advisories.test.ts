import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { judge } from './match.ts';
import type { Advisory, RangeEvent, Statement } from './model.ts';
import { parseOsv } from './osv.ts';
import { preferredScore, ratingOf } from './ratings.ts';
import { readDump, recognise } from './read-dump.ts';
import { scoreOf } from './scores.ts';

const about = (ecosystem: string, ...events: readonly RangeEvent[]): Advisory => ({
  ecosystem,
  name: 'x',
  id: 'X-1',
  cves: [],
  ranges: [{ events }],
});

test('events: introduced, fixed, last affected, introduced again, limits', () => {
  const twice = about('npm', { introduced: '1.0.0' }, { fixed: '1.5.0' }, { introduced: '2.0.0' }, { fixed: '2.1.0' });
  const verdicts = ['0.9.0', '1.0.0', '1.4.9', '1.5.0', '2.0.0', '2.0.9', '2.1.0'].map((version) =>
    judge(twice, version),
  );
  assert.deepEqual(
    verdicts.map((one) => one.affected),
    [false, true, true, false, true, true, false],
  );
  assert.deepEqual([verdicts[1]?.fixed, verdicts[4]?.fixed], ['1.5.0', '2.1.0']);
  const last = about('PyPI', { introduced: '0' }, { lastAffected: '2.3' });
  assert.deepEqual(
    ['2.3', '2.3.0', '2.3.1', '0.1'].map((version) => judge(last, version).affected),
    [true, true, false, true],
  );
  const limited = about('npm', { introduced: '0' }, { limit: '3.0.0' });
  assert.deepEqual(
    ['2.9.9', '3.0.0'].map((version) => judge(limited, version).affected),
    [true, false],
  );
  // Events may stand in any order.
  assert.equal(judge(about('npm', { fixed: '1.5.0' }, { introduced: '0' }), '1.6.0').affected, false);
});

test('each ecosystem’s own order decides', () => {
  const fixed = (ecosystem: string, version: string) => about(ecosystem, { introduced: '0' }, { fixed: version });
  const cases: readonly [string, string, string, boolean][] = [
    ['Debian:12', '3.0.11-1~deb12u2', '3.0.11-1~deb12u1', true],
    ['Debian:12', '3.0.11-1~deb12u2', '3.0.11-1', false],
    ['Debian:12', '1:1.0-1', '2.0-1', true],
    ['Alpine:v3.19', '3.1.4-r5', '3.1.4-r4', true],
    ['Alpine:v3.19', '1.36.1_rc1-r0', '1.36.1-r0', false],
    ['Rocky Linux:9', '1:3.0.7-27.el9', '1:3.0.7-25.el9_3', true],
    ['Rocky Linux:9', '0:2.0-1.el9', '2.0-1.el9', false],
    ['PyPI', '2.0', '2.0rc1', true],
    ['Maven', '2.15.0', '2.15.0-rc1', true],
    ['Maven', '2.15.0', '2.15.0.Final', false],
    ['RubyGems', '2.2.3', '2.2.3.rc1', true],
    ['Go', '1.21.5', '1.21.4', true],
    ['Go', 'v0.17.0', 'v0.0.0-20230101000000-abcdefabcdef', true],
  ];
  for (const [ecosystem, fix, version, affected] of cases)
    assert.equal(judge(fixed(ecosystem, fix), version).affected, affected, `${ecosystem} ${version} fixed in ${fix}`);
});

test('what says nothing flags nothing: no ranges, empty ranges, commits only, versions that are none', () => {
  const record = (affected: object) =>
    parseOsv({ id: 'X-1', affected: [{ package: { ecosystem: 'npm', name: 'x' }, ...affected }] });
  for (const affected of [
    {},
    { ranges: [] },
    { ranges: [{ type: 'SEMVER', events: [] }] },
    { ranges: [{ type: 'SEMVER', events: [{ fixed: '1.0.0' }] }] },
    { ranges: [{ type: 'GIT', repo: 'x', events: [{ introduced: '0' }] }] },
  ])
    assert.deepEqual(record(affected), [], JSON.stringify(affected));
  assert.deepEqual(
    parseOsv({
      id: 'X-1',
      withdrawn: '2024-01-01T00:00:00Z',
      affected: [{ package: { ecosystem: 'npm', name: 'x' }, versions: ['1.0.0'] }],
    }),
    [],
  );
  assert.throws(() => parseOsv({ hello: 1 }), /no OSV record/);
  assert.equal(judge(about('npm', { introduced: '0' }), 'not-a-version').affected, false);
  assert.equal(judge(about('Hackage', { introduced: '0' }), '1.0').affected, false);
});

test('an OSV record: names, aliases, versions beyond its ranges, scores', () => {
  const statements = parseOsv({
    id: 'GHSA-xxxx',
    aliases: ['CVE-2024-12345', 'PYSEC-1'],
    related: ['CVE-2000-0001'],
    summary: 'A flaw',
    modified: '2024-05-01T00:00:00Z',
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }],
    database_specific: { severity: 'MODERATE' },
    affected: [
      {
        package: { ecosystem: 'PyPI', name: 'Jinja_2' },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '3.1.3' }] }],
        versions: ['3.1.0', '3.1.2', '4.0.dev1'],
      },
    ],
  });
  const [first, second] = statements as [{ advisory: Advisory }, { overlay: object }];
  assert.deepEqual(
    [first.advisory.name, first.advisory.cves, first.advisory.versions, first.advisory.severity],
    ['jinja-2', ['CVE-2024-12345'], ['4.0.dev1'], 'MEDIUM'],
  );
  assert.deepEqual(
    ['3.1.2', '3.1.3', '4.0.dev1'].map((version) => judge(first.advisory, version).affected),
    [true, false, true],
  );
  assert.equal((second.overlay as { id: string }).id, 'CVE-2024-12345');
});

test('scores of vectors (the examples of FIRST), and what they are called', () => {
  const scores: readonly [string, number][] = [
    ['CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N', 6.4],
    ['CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N', 3.1],
    ['CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H', 10],
    ['CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N', 7.3],
    ['AV:N/AC:L/Au:N/C:P/I:P/A:P', 7.5],
  ];
  for (const [vector, score] of scores) assert.equal(scoreOf(vector)?.score, score, vector);
  assert.equal(scoreOf('CVSS:3.1/nonsense'), undefined);
  assert.deepEqual([9, 8.9, 4, 0.1, 0].map(ratingOf), ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFORMATIONAL']);
  assert.equal(
    preferredScore([
      { version: '2.0', vector: '', score: 1 },
      { version: '3.1', vector: '', score: 2 },
    ])?.score,
    2,
  );
});

test('dumps are known by what is in them, and read record by record', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-dumps-'));
  const read = async (name: string, content: string | Buffer) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const dump = await recognise(path);
    const statements: Statement[] = [];
    const flaws: string[] = [];
    for await (const statement of readDump(path, dump, (flaw) => void flaws.push(flaw))) statements.push(statement);
    return { dump, statements, flaws };
  };
  const osv = (id: string) => ({
    schema_version: '1.6.0',
    id,
    modified: '2024-01-01T00:00:00Z',
    affected: [
      { package: { ecosystem: 'npm', name: id }, ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }] }] },
    ],
  });
  try {
    const tracker = {
      openssl: {
        'CVE-2023-0001': {
          description: 'a "quoted" } brace',
          releases: {
            bookworm: { status: 'resolved', fixed_version: '3.0.11-1', urgency: 'medium' },
            bullseye: { status: 'open', urgency: 'unimportant' },
            buster: { status: 'resolved', fixed_version: '0', urgency: 'not yet assigned' },
            sid: { status: 'open', urgency: 'low' },
          },
        },
      },
      bash: { 'CVE-2024-0002': { releases: { bookworm: { status: 'undetermined', urgency: 'low' } } } },
    };
    const debian = await read('debian.json', gzipSync(JSON.stringify(tracker)));
    assert.deepEqual([debian.dump.format, debian.dump.name], ['debian', 'debian-tracker']);
    const advisories = debian.statements.map((one) => ('advisory' in one ? one.advisory : undefined));
    assert.deepEqual(
      advisories.map((one) => [one?.ecosystem, one?.severity, one?.ranges.length]),
      [
        ['Debian:12', 'MEDIUM', 1],
        ['Debian:11', 'INFORMATIONAL', 1],
        ['Debian:10', undefined, 0],
      ],
    );

    const secdb = {
      distroversion: 'v3.19',
      reponame: 'main',
      packages: [{ pkg: { name: 'openssl', secfixes: { '3.1.4-r1': ['CVE-2023-5363 XSA-1'], '0': ['CVE-2022-1'] } } }],
    };
    const alpine = await read('main.json', JSON.stringify(secdb));
    assert.equal(alpine.dump.name, 'alpine-v3.19-main');
    assert.deepEqual(
      alpine.statements.map((one) => 'advisory' in one && [one.advisory.id, one.advisory.ranges]),
      [
        ['CVE-2022-1', []],
        ['CVE-2023-5363', [{ events: [{ introduced: '0' }, { fixed: '3.1.4-r1' }] }]],
      ],
    );

    const kev = {
      title: 'CISA Catalog of Known Exploited Vulnerabilities',
      catalogVersion: '1',
      vulnerabilities: [{ cveID: 'CVE-2021-44228', dateAdded: '2021-12-10' }],
    };
    assert.equal((await read('kev.json', JSON.stringify(kev))).statements.length, 1);
    const epss = '#model_version:v2025.03.14,score_date:2026-01-01\ncve,epss,percentile\nCVE-2021-44228,0.97,0.999\n';
    assert.deepEqual((await read('epss.csv.gz', gzipSync(epss))).statements, [
      { overlay: { kind: 'epss', id: 'CVE-2021-44228', probability: 0.97, percentile: 0.999 } },
    ]);
    const list = await read('list.json', JSON.stringify([osv('a'), { broken: true }, osv('b')]));
    assert.deepEqual([list.statements.length, list.flaws.length, list.dump.name], [2, 1, 'osv-npm']);
    assert.equal(
      (await read('lines.json', `${JSON.stringify(osv('a'))}\n${JSON.stringify(osv('b'))}\n`)).statements.length,
      2,
    );
    assert.equal((await read('one.json', JSON.stringify(osv('a'), null, 2))).statements.length, 1);
    await assert.rejects(read('other', 'hello'), /is none of/);
    await assert.rejects(read('cut.json', JSON.stringify(tracker).slice(0, -20)), /cut off/);
    if (spawnSync('jar', ['--version']).status === 0) {
      for (const id of ['a', 'b', 'c']) writeFileSync(join(folder, `${id}.json`), JSON.stringify(osv(id)));
      execFileSync('jar', ['cfM', 'all.zip', 'a.json', 'b.json', 'c.json'], { cwd: folder });
      const dump = await recognise(join(folder, 'all.zip'));
      assert.deepEqual(dump, { format: 'osv', name: 'osv-npm', zip: true });
      let count = 0;
      for await (const _ of readDump(join(folder, 'all.zip'), dump, () => {})) count++;
      assert.equal(count, 3);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
