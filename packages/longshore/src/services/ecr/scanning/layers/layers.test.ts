import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { gzipLayer, readable, type TestEntry, tar } from '../images.testing.ts';
import { usualLimits } from './limits.ts';
import { readImage } from './read-image.ts';

const osRelease = { name: 'etc/os-release', content: 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n' };
const dpkg = (...packages: readonly string[]) => ({
  name: 'var/lib/dpkg/status',
  content: packages
    .map((one) => `Package: ${one.split('=')[0]}\nStatus: install ok installed\nVersion: ${one.split('=')[1]}\n`)
    .join('\n'),
});
const npm = (folder: string, name: string, version: string) => ({
  name: `${folder}/node_modules/${name}/package.json`,
  content: JSON.stringify({ name, version }),
});

async function found(layers: readonly (readonly TestEntry[])[], limits = usualLimits) {
  const inventory = await readImage(readable(await Promise.all(layers.map(gzipLayer))), limits);
  return inventory.packages.map((one) => `${one.name}@${one.version} ${one.path} ${one.layer}`).sort();
}

describe('layers as they are merged', () => {
  test('a later file replaces an earlier one, and a package keeps the layer that brought it', async () => {
    assert.deepEqual(await found([[osRelease, dpkg('bash=5.1', 'zlib1g=1.2')], [dpkg('bash=5.2', 'zlib1g=1.2')]]), [
      'bash@5.2 var/lib/dpkg/status layer-1',
      'zlib1g@1.2 var/lib/dpkg/status layer-0',
    ]);
  });

  test('whiteouts take away files and folders of the layers below, and nothing of their own', async () => {
    const base = [npm('app', 'left', '1.0.0'), npm('app', 'right', '1.0.0'), npm('srv', 'gone', '1.0.0')];
    const over = [
      { name: 'app/node_modules/.wh.left' },
      { name: '.wh.srv' },
      npm('srv', 'new', '2.0.0'),
      npm('app', 'right', '1.1.0'),
    ];
    assert.deepEqual(await found([base, over]), [
      'new@2.0.0 srv/node_modules/new/package.json layer-1',
      'right@1.1.0 app/node_modules/right/package.json layer-1',
    ]);
  });

  test('an opaque folder hides what was in it before, wherever its mark stands in the layer', async () => {
    const base = [npm('app', 'old', '1.0.0')];
    assert.deepEqual(await found([base, [npm('app', 'new', '1.0.0'), { name: 'app/.wh..wh..opq' }]]), [
      'new@1.0.0 app/node_modules/new/package.json layer-1',
    ]);
  });

  test('a folder that becomes a link, a link that paths lead through, and hard links', async () => {
    const base = [
      npm('opt/real', 'one', '1.0.0'),
      { name: 'app', type: 'symlink' as const, linkname: '/opt/real' },
      { name: 'loop', type: 'symlink' as const, linkname: 'loop' },
    ];
    const over = [
      npm('app', 'one', '2.0.0'),
      npm('loop', 'never', '1.0.0'),
      {
        name: 'copy/node_modules/one/package.json',
        type: 'link' as const,
        linkname: 'opt/real/node_modules/one/package.json',
      },
    ];
    assert.deepEqual(await found([base, over]), [
      'one@2.0.0 copy/node_modules/one/package.json layer-1',
      'one@2.0.0 opt/real/node_modules/one/package.json layer-1',
    ]);
    assert.deepEqual(await found([base, [{ name: 'opt/real', type: 'symlink', linkname: '/elsewhere' }]]), []);
  });

  test('plain, gzip and zstd layers, whatever their media type says', async () => {
    const archive = await tar([dpkg('bash=5.2')]);
    for (const data of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
      const { packages } = await readImage(readable([data]));
      assert.deepEqual(
        packages.map((one) => one.name),
        ['bash'],
      );
    }
  });

  test('a lock file beside an installed tree does not count twice; alone it does', async () => {
    const lock = (folder: string) => ({
      name: `${folder}/package-lock.json`,
      content: JSON.stringify({
        lockfileVersion: 3,
        packages: {
          '': { name: 'app' },
          'node_modules/one': { version: '1.0.0' },
          'node_modules/one/node_modules/@x/two': { version: '2.0.0' },
          'node_modules/test': { version: '3.0.0', dev: true },
        },
      }),
    });
    assert.deepEqual(await found([[lock('a'), npm('a', 'one', '1.0.0'), lock('b')]]), [
      '@x/two@2.0.0 b/package-lock.json layer-0',
      'one@1.0.0 a/node_modules/one/package.json layer-0',
      'one@1.0.0 b/package-lock.json layer-0',
    ]);
  });

  test('language packages that the distribution owns are its own', async () => {
    const metadata = (path: string) => ({
      name: `${path}/METADATA`,
      content: 'Metadata-Version: 2.1\nName: Six\nVersion: 1.16\n',
    });
    const list = {
      name: 'var/lib/dpkg/info/python3-six.list',
      content: '/usr/lib/python3/dist-packages/six-1.16.dist-info/METADATA\n',
    };
    assert.deepEqual(
      await found([
        [list, metadata('usr/lib/python3/dist-packages/six-1.16.dist-info'), metadata('opt/six-1.16.dist-info')],
      ]),
      ['Six@1.16 opt/six-1.16.dist-info/METADATA layer-0'],
    );
  });
});

describe('malicious layers', () => {
  test('paths that lead outside stay inside: absolute ones, `..`, and links out', async () => {
    const names = await found([
      [
        { ...dpkg('one=1'), name: '/var/lib/dpkg/status' },
        { ...npm('x', 'two', '2.0.0'), name: '../../../../app/../app/node_modules/two/package.json' },
        { name: 'out', type: 'symlink', linkname: '../../../../../..' },
        { ...npm('x', 'three', '3.0.0'), name: 'out/app/node_modules/three/package.json' },
      ],
    ]);
    assert.deepEqual(names, [
      'one@1 var/lib/dpkg/status layer-0',
      'three@3.0.0 app/node_modules/three/package.json layer-0',
      'two@2.0.0 app/node_modules/two/package.json layer-0',
    ]);
  });

  test('devices, pipes and links to nowhere are passed over', async () => {
    const names = await found([
      [
        { name: 'var/lib/dpkg/status', type: 'character-device', devmajor: 1, devminor: 5 },
        { name: 'etc/os-release', type: 'fifo' },
        { name: 'usr/lib/os-release', type: 'link', linkname: '/etc/shadow' },
        { name: 'app/node_modules/x/package.json', type: 'symlink', linkname: '/proc/self/environ' },
        dpkg('bash=1'),
      ],
    ]);
    assert.deepEqual(names, ['bash@1 var/lib/dpkg/status layer-0']);
  });

  test('decompression bombs are refused by ratio, by size, by number and by depth', async () => {
    const zeros = await tar([{ name: 'zeros', content: Buffer.alloc(4 * 1024 * 1024) }]);
    const bomb = readable([gzipSync(zeros)]);
    await assert.rejects(
      readImage(bomb, { ...usualLimits, ratioFrom: 1024 * 1024, ratio: 100 }),
      /layer-0: .*decompression bomb/,
    );
    await assert.rejects(readImage(bomb, { ...usualLimits, expandedBytes: 1024 * 1024 }), /expands to more than/);
    const many = await tar(Array.from({ length: 50 }, (_, index) => ({ name: `file-${index}` })));
    await assert.rejects(readImage(readable([many]), { ...usualLimits, entries: 20 }), /more than 20 files/);
    const deep = await tar([{ name: `${'a/'.repeat(300)}x` }]);
    await assert.rejects(readImage(readable([deep])), /more than 256 folders/);
    const links = await tar(
      Array.from({ length: 50 }, (_, index) => ({ name: `l${index}`, type: 'symlink' as const, linkname: '/x' })),
    );
    await assert.rejects(readImage(readable([links]), { ...usualLimits, nameBytes: 1000 }), /keeps in memory/);
  });

  test('archives that are cut off, damaged, or none at all', async () => {
    const archive = await tar([dpkg('bash=5.2')]);
    await assert.rejects(readImage(readable([archive.subarray(0, 540)])), /cut off/);
    await assert.rejects(readImage(readable([gzipSync(archive).subarray(0, 100)])), /can't be expanded/);
    const damaged = Buffer.from(archive);
    damaged.write('9', 3);
    await assert.rejects(readImage(readable([damaged])), /checksum is wrong/);
    await assert.rejects(
      readImage(readable([Buffer.from('this is no archive at all'.repeat(100))])),
      /layer-0: a tar header/,
    );
    await assert.rejects(
      readImage(readable([{ data: archive, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }])),
      /not packed as its media type/,
    );
  });

  test('a header that claims megabytes of metadata, an impossible size, damaged records', async () => {
    const header = (type: string, size: string) => {
      const block = Buffer.alloc(512);
      block.write('name', 0);
      block.write('0000644\0', 100);
      block.write(size, 124);
      block.write('        ', 148);
      block.write(type, 156);
      block.write('ustar\x0000', 257, 'latin1');
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      return block;
    };
    await assert.rejects(readImage(readable([header('x', '77777777777\0')])), /bytes of metadata/);
    await assert.rejects(readImage(readable([header('L', '00100000000\0')])), /bytes of metadata/);
    await assert.rejects(readImage(readable([header('0', 'hello      \0')])), /number that is none/);
    const records = Buffer.alloc(512);
    records.write('9999 path=x\n');
    await assert.rejects(readImage(readable([Buffer.concat([header('x', '00000000014\0'), records])])), /damaged pax/);
  });

  test('files that are not what their name says are skipped with a reason', async () => {
    const layer = await gzipLayer([
      { name: 'app/node_modules/x/package.json', content: '{not json' },
      { name: 'lib/evil.jar', content: 'PK\x03\x04 no archive' },
      { name: 'var/lib/rpm/rpmdb.sqlite', content: 'SQLite format 3\0nothing' },
      { name: 'var/lib/rpm/Packages.db', content: 'RpmP' },
      {
        name: 'bin/go',
        mode: 0o755,
        content: Buffer.concat([
          Buffer.from('\x7fELF', 'latin1'),
          Buffer.alloc(28),
          Buffer.from('\xff Go buildinf:\x08\x02', 'latin1'),
          Buffer.alloc(16),
          Buffer.alloc(9, 0xff),
        ]),
      },
    ]);
    const { packages, skipped } = await readImage(readable([layer]));
    assert.deepEqual(packages, []);
    assert.deepEqual(skipped.map((one) => one.path).sort(), [
      'app/node_modules/x/package.json',
      'lib/evil.jar',
      'var/lib/rpm/Packages.db',
      'var/lib/rpm/rpmdb.sqlite',
    ]);
  });
});
