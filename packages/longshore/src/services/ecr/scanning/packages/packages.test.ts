import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseApkInstalled } from './apk.ts';
import { parseDpkgStatus } from './dpkg.ts';
import { parseGemspec } from './gem.ts';
import { parseGoBinary } from './go-build-info.ts';
import { parseJar } from './jar.ts';
import { parsePackageLock } from './npm.ts';
import { parseOsRelease } from './os-release.ts';
import { parsePythonMetadata } from './python.ts';
import { readRpmHeaders } from './rpm.ts';
import { bdbHeaders, ndbHeaders, sqliteHeaders } from './rpm-databases.ts';

const has = (...tools: readonly string[]) => tools.every((tool) => spawnSync('which', [tool]).status === 0);

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-packages-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('dpkg: sources with versions of their own; what is removed is no package', () => {
  const status = `Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u4
Description: GNU C Library
 with a second line

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: base-files
Version: 12.4
`;
  assert.deepEqual(parseDpkgStatus(status), [
    { kind: 'deb', name: 'libc6', version: '2.36-9+deb12u4', source: 'glibc', sourceVersion: '2.36-9', arch: 'amd64' },
    { kind: 'deb', name: 'base-files', version: '12.4', source: 'base-files', sourceVersion: '12.4' },
  ]);
});

test('dpkg: finds what dpkg-query finds on this machine', { skip: !has('dpkg-query') }, () => {
  const said = execFileSync(
    'dpkg-query',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's
    ['-W', '-f', '${db:Status-Status} ${Package} ${Version} ${source:Package} ${source:Version}\n'],
    {
      encoding: 'utf8',
      maxBuffer: 16 * 1024 * 1024,
    },
  );
  const expected = said.split('\n').flatMap((line) => (line.startsWith('installed ') ? [line.slice(10)] : []));
  const found = parseDpkgStatus(readFileSync('/var/lib/dpkg/status', 'utf8')).map(
    (one) => `${one.name} ${one.version} ${one.source} ${one.sourceVersion}`,
  );
  assert.deepEqual(found.sort(), expected.sort());
});

test('apk: origins, and the language files that a package owns', () => {
  const { packages, owns } = parseApkInstalled(
    'C:Q1abc=\nP:libcrypto3\nV:3.1.4-r5\nA:x86_64\no:openssl\nF:lib\nR:libcrypto.so.3\n\nP:py3-six\nV:1.16.0-r8\no:py3-six\nF:usr/lib/python3.11/site-packages/six-1.16.0.dist-info\nR:METADATA\n',
  );
  assert.deepEqual(
    packages?.map((one) => `${one.name} ${one.version} ${one.source}`),
    ['libcrypto3 3.1.4-r5 openssl', 'py3-six 1.16.0-r8 py3-six'],
  );
  assert.deepEqual(owns, ['usr/lib/python3.11/site-packages/six-1.16.0.dist-info/METADATA']);
});

test(
  'rpm: a database that rpm itself made, as SQLite, ndb and Berkeley DB',
  { skip: !has('rpm', 'rpmbuild', 'db_load') },
  () =>
    inFolder((folder) => {
      writeFileSync(
        join(folder, 'x.spec'),
        'Name: longtest\nVersion: 1.2\nRelease: 3.el9\nEpoch: 2\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%description\nx\n%install\nmkdir -p %{buildroot}/usr/lib/python3.9/site-packages/six-1.0.dist-info\necho x > %{buildroot}/usr/lib/python3.9/site-packages/six-1.0.dist-info/METADATA\n%files\n/usr/lib/python3.9\n',
      );
      execFileSync('rpmbuild', ['-bb', '--define', `_topdir ${folder}`, join(folder, 'x.spec')], { stdio: 'pipe' });
      const file = join(folder, 'RPMS/noarch/longtest-1.2-3.el9.noarch.rpm');
      const expected = {
        packages: [
          {
            kind: 'rpm',
            name: 'longtest',
            version: '2:1.2-3.el9',
            source: 'longtest',
            sourceVersion: '2:1.2-3.el9',
            arch: 'noarch',
          },
        ],
        owns: ['usr/lib/python3.9/site-packages/six-1.0.dist-info/METADATA'],
      };
      execFileSync('rpm', ['--dbpath', folder, '-i', '--justdb', '--nodeps', '--ignorearch', file], { stdio: 'pipe' });
      const [header] = [...sqliteHeaders(readFileSync(join(folder, 'rpmdb.sqlite')))];
      assert.ok(header);
      assert.deepEqual(readRpmHeaders([header]), expected);

      const ndb = Buffer.alloc(4096 + 16 + header.length);
      ndb.write('RpmP', 0);
      ndb.writeUInt32LE(1, 12);
      for (let at = 32; at < 4096; at += 16) ndb.write('Slot', at);
      ndb.writeUInt32LE(1, 36);
      ndb.writeUInt32LE(4096 / 16, 40);
      ndb.write('BlbS', 4096);
      ndb.writeUInt32LE(1, 4100);
      ndb.writeUInt32LE(header.length, 4108);
      header.copy(ndb, 4112);
      assert.deepEqual(readRpmHeaders(ndbHeaders(ndb)), expected);

      // Keys are package numbers, the values headers: as rpm before 4.16 kept them. The second is too large for its page.
      const large = Buffer.concat([header, Buffer.alloc(20_000)]);
      large.writeUInt32BE(header.readUInt32BE(4) + 20_000, 4);
      const hex = (data: Buffer) => ` ${data.toString('hex')}\n`;
      const dump = `VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END\n${hex(Buffer.from([0, 0, 0, 0]))}${hex(Buffer.from([9, 0, 0, 0]))}${hex(Buffer.from([1, 0, 0, 0]))}${hex(header)}${hex(Buffer.from([2, 0, 0, 0]))}${hex(large)}DATA=END\n`;
      execFileSync('db_load', [join(folder, 'Packages')], { input: dump });
      const { packages } = readRpmHeaders(bdbHeaders(readFileSync(join(folder, 'Packages'))));
      assert.deepEqual(packages, [...expected.packages, ...expected.packages]);
    }),
);

test('Go: the go tool itself', { skip: !has('go') }, () => {
  const [root, release] = execFileSync('go', ['env', 'GOROOT', 'GOVERSION'], { encoding: 'utf8' }).trim().split('\n');
  const [stdlib] = parseGoBinary(readFileSync(join(root as string, 'bin/go')));
  assert.equal(`go${stdlib?.version}`, release?.split(' ')[0]);
});

test('Go: modules behind the mark, those that were replaced, and none of the developer’s own', () => {
  const inline = (text: string) =>
    Buffer.concat([Buffer.from([0x80 | (text.length & 0x7f), text.length >> 7]), Buffer.from(text)]);
  const text = `${'x'.repeat(16)}path\texample.org/app\nmod\texample.org/app\t(devel)\t\ndep\tgolang.org/x/net\tv0.17.0\th1:a=\ndep\tgithub.com/a/b\tv1.0.0\n=>\tgithub.com/c/d\tv1.0.1\th1:b=\ndep\texample.org/local\tv1.2.3\n=>\t./local\t(devel)\t\n${'x'.repeat(16)}`;
  const file = Buffer.concat([
    Buffer.alloc(64),
    Buffer.from('\xff Go buildinf:\x08\x02', 'latin1'),
    Buffer.alloc(16),
    inline('go1.22.1'),
    inline(text),
  ]);
  assert.deepEqual(
    parseGoBinary(file).map((one) => `${one.name} ${one.version}`),
    ['stdlib 1.22.1', 'golang.org/x/net v0.17.0', 'github.com/c/d v1.0.1'],
  );
});

test('Go: binaries from before 1.18 hold pointers to the text', () => {
  const text = 'go1.17';
  const modules = `${'x'.repeat(16)}path\tcommand-line-arguments\ndep\tgolang.org/x/text\tv0.3.6\th1:abc=\n${'x'.repeat(16)}`;
  const file = Buffer.alloc(4096);
  file.write('\x7fELF', 0, 'latin1');
  file.set([2, 1], 4);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64);
  file.writeBigUInt64LE(0n, 72);
  file.writeBigUInt64LE(0x400000n, 80);
  file.writeBigUInt64LE(4096n, 96);
  const at = (offset: number) => 0x400000n + BigInt(offset);
  file.write('\xff Go buildinf:', 512, 'latin1');
  file.set([8, 0], 526);
  file.writeBigUInt64LE(at(1024), 528);
  file.writeBigUInt64LE(at(1040), 536);
  file.writeBigUInt64LE(at(2000), 1024);
  file.writeBigUInt64LE(BigInt(text.length), 1032);
  file.writeBigUInt64LE(at(2100), 1040);
  file.writeBigUInt64LE(BigInt(modules.length), 1048);
  file.write(text, 2000);
  file.write(modules, 2100);
  assert.deepEqual(
    parseGoBinary(file).map((one) => `${one.name} ${one.version}`),
    ['stdlib 1.17', 'golang.org/x/text v0.3.6'],
  );
});

test('Java: pom.properties, manifests, file names, jars within jars', { skip: !has('jar') }, () =>
  inFolder((folder) => {
    const pom = join(folder, 'META-INF/maven/org.apache.logging.log4j/log4j-core');
    mkdirSync(pom, { recursive: true });
    writeFileSync(
      join(pom, 'pom.properties'),
      'groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n',
    );
    const jar = (...args: string[]) => execFileSync('jar', args, { cwd: folder, stdio: 'pipe' });
    jar('cf', 'inner.jar', 'META-INF');
    writeFileSync(
      join(folder, 'manifest'),
      'Implementation-Title: app\nImplementation-Version: 1.0\nImplementation-Vendor-Id: org.example\n',
    );
    jar('cfm', 'fat.jar', 'manifest', 'inner.jar');
    jar('c0f', 'named-3.1.jar', 'manifest');
    const found = (name: string) =>
      parseJar(readFileSync(join(folder, name)), `srv/${name}`).packages?.map(
        (one) => `${one.name}@${one.version}${one.within ?? ''}`,
      );
    assert.deepEqual(found('fat.jar'), [
      'org.apache.logging.log4j:log4j-core@2.14.1!/inner.jar',
      'org.example:app@1.0',
    ]);
    assert.deepEqual(found('named-3.1.jar'), ['named@3.1']);
    const whole = readFileSync(join(folder, 'fat.jar'));
    assert.throws(() => parseJar(whole.subarray(0, whole.length - 30), 'x.jar'), /no zip archive|damaged/);
  }),
);

test('Python, Ruby, npm and os-release', () => {
  assert.deepEqual(parsePythonMetadata('Metadata-Version: 2.1\nName: Jinja2\nVersion: 3.1.2\n\nVersion: 9\n'), [
    { kind: 'pypi', name: 'Jinja2', version: '3.1.2' },
  ]);
  const gemspec = 'Gem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "2.2.3"\nend\n';
  assert.deepEqual(parseGemspec(gemspec, 'x.gemspec'), [{ kind: 'gem', name: 'rack', version: '2.2.3' }]);
  assert.deepEqual(parseGemspec('', 'specifications/nokogiri-1.13.0-x86_64-linux.gemspec'), [
    { kind: 'gem', name: 'nokogiri', version: '1.13.0' },
  ]);
  const lock = JSON.stringify({
    dependencies: {
      a: { version: '1.0.0', dependencies: { b: { version: '2.0.0' } } },
      c: { version: '3.0.0', dev: true },
    },
  });
  assert.deepEqual(
    parsePackageLock(lock).map((one) => one.name),
    ['a', 'b'],
  );
  assert.deepEqual(
    parseOsRelease('NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.19.1\nPRETTY_NAME="Alpine Linux v3.19"\n'),
    {
      id: 'alpine',
      versionId: '3.19.1',
      codename: '',
      name: 'Alpine Linux v3.19',
    },
  );
  assert.equal(parseOsRelease('nothing'), undefined);
});
