import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { compareApk } from './apk.ts';
import { compareDebian } from './debian.ts';
import { compareGem } from './gem.ts';
import { compareMaven } from './maven.ts';
import type { VersionOrder } from './order.ts';
import { orderOf } from './orders.ts';
import { comparePep440 } from './pep440.ts';
import { compareRpm, compareRpmPart } from './rpm.ts';
import { compareGo, compareSemver } from './semver.ts';

/** `A < B`, `A = B`, `A > B` on each line, tried both ways round. */
function check(order: VersionOrder, table: string): void {
  for (const line of table.trim().split('\n')) {
    const [one = '', sign = '', other = ''] = line.trim().split(/\s+/);
    const expected = sign === '<' ? -1 : sign === '>' ? 1 : 0;
    assert.equal(Math.sign(order(one, other)), expected, line);
    assert.equal(Math.sign(order(other, one)) || 0, -expected || 0, `${line}, turned round`);
  }
}

/** Every version of the list is older than all that follow it. */
function checkOrdered(order: VersionOrder, list: string): void {
  const versions = list.trim().split(/\s+/);
  for (const [at, one] of versions.entries())
    for (const other of versions.slice(at + 1)) check(order, `${one} < ${other}`);
}

// Pairs that dpkg's own tests try (Dpkg_Version.t).
const debian = `
1.0-1 < 2.0-2
2.2~rc-4 < 2.2-1
1.0000-1 = 1.0-1
1 = 0:1
0 = 0:0-0
2:2.5 > 1:7.5
1:0foo > 0foo
0:0foo = 0foo
0foo- = 0foo
0foo- = 0foo-0
0foo > 0fo
0foo- < 0foo+
0foo~1 < 0foo
0foo~foo+Bar < 0foo~foo+bar
0foo~~ < 0foo~
1~ < 1
12345+that-really-is-some-ver-0 < 12345+that-really-is-some-ver-10
0foo-0 < 0foo-01
0foo.bar > 0foobar
0foo.bar > 0foo1bar
0foo.bar > 0foo0bar
0foo1bar-1 < 0foobar-1
0foo2.0 > 0foo2
0foo2.0.0 < 0foo2.10.0
0foo2.0 < 0foo2.0.0
0foo2.1 < 0foo2.10
1.09 = 1.9
1.0.8+nmu1 > 1.0.8
3.11 > 3.10+nmu1
0.9j-20080306-4 > 0.9i-20070324-2
1.2.0~b7-1 > 1.2.0~b6-1
1.011-1 > 1.06-2
0.0.9+dfsg1-1 > 0.0.8+dfsg1-3
4.6.99+svn6582-1 > 4.6.99+svn6496-1
2:2.3.2-2+lenny2 > 2:2.3.2-2
1:3.8.1-1 > 3.8.GA-1
1.0.1+gpl-1 > 1.0.1-2
1a < 1000a
3.0.11-1~deb12u2 < 3.0.11-1
18446744073709551617 > 18446744073709551616`;

test('Debian: epochs, tildes, letters before signs', () => {
  check(compareDebian, debian);
  assert.ok(Number.isNaN(compareDebian('x:1', '1')));
});

test('Debian: dpkg itself says the same', { skip: spawnSync('dpkg', ['--version']).error !== undefined }, () => {
  const versions = [
    '1.0',
    '1.0-1',
    '1.0~rc1-1',
    '1:0.5',
    '1.0+dfsg-1',
    '1.0a-1',
    '1.0.1-0.1',
    '1.0-1+deb12u1',
    '1.00-1',
  ];
  for (const one of versions)
    for (const other of versions) {
      const { status } = spawnSync('dpkg', ['--compare-versions', one, 'lt', other]);
      assert.equal(compareDebian(one, other) < 0, status === 0, `${one} lt ${other}`);
    }
});

// Pairs that rpm's own tests try (rpmvercmp.at), and those of `^` from rpm-version(7).
const rpm = `
2.0 < 2.0.1
2.0.1a > 2.0.1
5.5p1 < 5.5p2
5.5p1 < 5.5p10
10xyz < 10.1xyz
xyz10 < xyz10.1
xyz.4 < 8
xyz.4 < 2
5.5p2 < 5.6p1
6.0.rc1 > 6.0
10b2 > 10a1
1.0a < 1.0aa
10.0001 = 10.1
10.0001 < 10.0039
4.999.9 < 5.0
2.0 = 2_0
a+ = a_
+a = _a
+ = _
1.0~rc1 < 1.0
1.0~rc1 < 1.0~rc2
1.0~rc1~git123 < 1.0~rc1
1.0^ > 1.0
1.0^git1 > 1.0
1.0^git1 < 1.0^git2
1.0^git1 < 1.01
1.0^20160101 < 1.0.1
1.0^20160101^git1 > 1.0^20160101
1.0~rc1^git1 > 1.0~rc1
1.0^git1~pre < 1.0^git1
1b.fc17 < 1.fc17
1g.fc17 > 1.fc17`;

test('RPM: segments, tildes, carets', () => {
  check(compareRpmPart, rpm);
  check(
    compareRpm,
    '1:1.0-1 > 2.0-1\n0:2.0-1 = 2.0-1\n2.0-1.el9 < 2.0-1.el9_2\n2.0 = 2.0-7\n3.0.7-25.el9 < 3.0.7-27.el9',
  );
});

test('RPM: rpm itself says the same', { skip: spawnSync('rpm', ['--version']).error !== undefined }, () => {
  const pairs = rpm
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [string, string, string]);
  const script = pairs.map(([one, , other]) => `rpm.vercmp("${one}", "${other}")`).join(', ');
  const { stdout } = spawnSync('rpm', ['--eval', `%{lua: print(table.concat({${script}}, " "))}`], {
    encoding: 'utf8',
  });
  const said = stdout.trim().split(' ').map(Number);
  assert.equal(said.length, pairs.length);
  for (const [at, [one, , other]] of pairs.entries())
    assert.equal(Math.sign(compareRpmPart(one, other)), said[at], `${one} ${other}`);
});

test('apk: suffixes, letters, fractions, revisions', () => {
  // From apk-tools' test/version.data.
  check(
    compareApk,
    `2.34 > 0.1.0_alpha
    0.1.0_alpha < 0.1.3_alpha
    0.1.0_alpha2 > 0.1.0_alpha
    2.2.39-r1 > 1.0.4-r3
    1.0.4-r3 < 1.0.4-r4
    1.1 > 1.1_alpha1
    1.2 < 1.3_alpha
    1.3_alpha < 1.3_alpha2
    0.8_beta4 < 4.8-r1
    3.10.18-r1 > 2.3.0b-r1
    2.3.0b-r1 < 2.3.0b-r2
    3.1_p16 < 3.1_p17
    3.1_p17 > 1.06-r6
    1.06-r6 < 006
    2.01.01_alpha10 > 0.94
    1.39 > 1.00_beta2
    1.02 < 1.03-r1
    4.2.52_p2-r1 < 4.2.52_p4-r2
    1.02.07 < 1.02.10-r1
    20060720 > 3.0.20060720
    2.5.1-r8 < 2.5.1a-r1
    1.3.5-r10 > 1.3.5-r8
    2.0.0_rc3-r1 > 1.5
    3.0.0-r2 < 021109-r3
    0.0.31 < 0.0.50
    0.0.25 < 0.17
    1.1a < 1.3a
    1.06-r2 > 0.15.1b-r2
    1.2.07.8 < 1.2.12.04
    1.07-r1 < 1.07.5
    1.7 < 1.7b
    1.8.5 < 1.8.5_p2
    0.98 < 1.00
    1.4_p12-r2 < 1.4_p12-r5
    0.20070118 < 0.20070207_rc1
    0.9.28-r2 < 0.9.28.1
    4.3_p2-r1 < 4.3_p2-r5
    1.3-r0 < 1.3.1-r0
    1.3_pre1-r1 < 1.3.2
    1.0_p10-r0 > 1.0_p9-r0
    0.1.0_alpha_pre2 < 0.1.0_alpha
    1.0.0_pre20191002222144-r0 < 1.0.0_pre20210530193627-r0
    1.0.0_p20200101 > 1.0.0
    1.0 = 1.0`,
  );
  assert.ok(Number.isNaN(compareApk('not-a-version', '1.0')));
});

test('semver: section 11 of the specification, and Go’s spellings', () => {
  checkOrdered(
    compareSemver,
    '1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.2.0 1.10.0 2.0.0',
  );
  check(compareSemver, 'v1.2.3 = 1.2.3\n1.2.3+build.1 = 1.2.3+build.2\n1.2 = 1.2.0\n1.2.3.4 > 1.2.3');
  check(
    compareGo,
    `go1.21rc2 < 1.21.0
    go1.21rc2 > 1.21.0-0
    go1.20.5 < 1.21.0-0
    v0.0.0-20210101000000-abcdefabcdef < v0.1.0
    v0.0.0-20210101000000-abcdefabcdef < v0.0.0-20220101000000-abcdefabcdef
    v2.0.0+incompatible = v2.0.0`,
  );
  assert.ok(Number.isNaN(compareSemver('latest', '1.0.0')));
});

test('PEP 440: the order of the specification’s own summary', () => {
  checkOrdered(
    comparePep440,
    '1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456 1.0b2.post345 1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5 1.0.post456.dev34 1.0.post456 1.0.15 1.1.dev1 1!0.1',
  );
  check(
    comparePep440,
    '1.0 = 1.0.0\n1.0-1 = 1.0.post1\n1.0alpha1 = 1.0a1\n1.0c1 = 1.0rc1\nv1.0 = 1.0\n1.0.Post2 = 1.0-r2\n1.0-preview1 = 1.0rc1\n2024.7.4 > 2023.7.22',
  );
  assert.ok(Number.isNaN(comparePep440('french toast', '1.0')));
});

test('RubyGems: letters are pre-releases, trailing zeros are nothing', () => {
  check(
    compareGem,
    '1.0.a < 1.0\n1.0 = 1.0.0\n1.8.2 < 1.8.10\n1.8.2.b25 > 1.8.2.a10\n1.8.2.a9 < 1.8.2.a10\n1.8.2.a > 1.8\n0.beta.1 = 0.0.beta.1\n5.a < 5.0.0.rc2\n5.x > 5.0.0.rc2\n1.9.3 < 1.9.3.1\n1.0.0-1 < 1.0.0',
  );
});

// The orders that the POM reference and ComparableVersion's documentation name.
const maven = [
  '1-alpha2snapshot 1-alpha2 1-alpha-123 1-beta-2 1-beta123 1-m2 1-m11 1-rc 1-cr2 1-rc123 1-SNAPSHOT 1 1-sp 1-sp2 1-sp123 1-abc 1-def 1-pom-1 1-1-snapshot 1-1 1-2 1-123',
  '2.0 2.0.a 2-1 2.0.2 2.0.123 2.1.0 2.1-a 2.1b 2.1-c 2.1-1 2.1.0.1 2.2 2.123 11.a2 11.a11 11.b2 11.b11 11.m2 11.m11 11 11.a 11b 11c 11m',
  '2.15.0 2.16.0 2.17.0 2.17.1',
  '4.1.100.Final 4.1.101.Final',
  '31.1-android 31.1-jre 32.0.0-android 32.0.0-jre',
];
const mavenEqual =
  '1 = 1.0\n1 = 1-0\n1.0 = 1.0.0\n1 = 1.ga\n1 = 1-final\n1 = 1.release\n1a1 = 1-alpha-1\n1m3 = 1-milestone-3\n1x = 1-x\n1-cr1 = 1-rc1\n1-0.3 < 1-0.4\n1.0-alpha < 1.0';

test('Maven: numbers, qualifiers and lists', () => {
  for (const list of maven) checkOrdered(compareMaven, list);
  check(compareMaven, mavenEqual);
});

test('each ecosystem has its own order', () => {
  assert.equal(orderOf('Debian:12'), compareDebian);
  assert.equal(orderOf('Alpine:v3.19'), compareApk);
  assert.equal(orderOf('Rocky Linux:9'), compareRpm);
  assert.equal(orderOf('Hackage'), undefined);
});
