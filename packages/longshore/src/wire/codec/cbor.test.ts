import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { DecodeProblem } from './problem.ts';

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));

describe('CBOR', () => {
  // RFC 8949, appendix A.
  const examples: [string, unknown][] = [
    ['00', 0],
    ['17', 23],
    ['1818', 24],
    ['1903e8', 1000],
    ['1a000f4240', 1000000],
    ['1b000000e8d4a51000', 1000000000000],
    ['1bffffffffffffffff', 18446744073709551615n],
    ['20', -1],
    ['3903e7', -1000],
    ['f90000', 0],
    ['f93c00', 1],
    ['f97bff', 65504],
    ['f90001', 2 ** -24],
    ['f97c00', Number.POSITIVE_INFINITY],
    ['f97e00', Number.NaN],
    ['fa47c35000', 100000],
    ['fb3ff199999999999a', 1.1],
    ['f4', false],
    ['f5', true],
    ['f6', null],
    ['c11a514b67b0', new Date(1363896240000)],
    ['c1fb41d452d9ec200000', new Date(1363896240500)],
    ['4401020304', Buffer.from([1, 2, 3, 4])],
    ['62c3bc', 'ü'],
    ['64f0908591', '𐅑'],
    ['83010203', [1, 2, 3]],
    ['a26161016162820203', { a: 1, b: [2, 3] }],
    ['5f42010243030405ff', Buffer.from([1, 2, 3, 4, 5])],
    ['7f657374726561646d696e67ff', 'streaming'],
    ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
    ['bf61610161629f0203ffff', { a: 1, b: [2, 3] }],
  ];
  for (const [bytes, value] of examples) {
    test(`${bytes} is read`, () => {
      const decoded = decodeCbor(hex(bytes));
      assert.deepEqual(decoded instanceof Uint8Array ? Buffer.from(decoded) : decoded, value);
    });
  }

  test('what is written is read again', () => {
    const value = {
      text: 'grüße 😀'.repeat(300),
      integers: [0, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, Number.MAX_SAFE_INTEGER, -1, -25, -300],
      floats: [1.5, -0.25, 1e300],
      moment: new Date(1700000000123),
      none: null,
      yes: true,
      nested: { empty: {}, list: [] as unknown[] },
    };
    assert.deepEqual(decodeCbor(encodeCbor({ ...value, left: undefined })), value);
    // A buffer that grows in the middle of a head loses nothing.
    for (let length = 1015; length < 1035; length++) {
      const padded = { a: 'x'.repeat(length), b: [1000, 70000, 2 ** 40, new Date(0), 1.5], c: new Uint8Array([1]) };
      assert.deepEqual(decodeCbor(encodeCbor(padded)), padded);
    }
  });

  for (const bytes of [
    '',
    '18',
    '1a00',
    '62c3',
    '8301',
    'a161',
    'a10102',
    'ff',
    '9f01',
    'f8',
    '1c',
    '5f01ff',
    'c16161',
    '0000',
    '5b7fffffffffffffff',
    '9bffffffffffffffff',
    '81'.repeat(500),
  ]) {
    test(`malformed ${bytes.slice(0, 24) || 'nothing'} is refused`, () => {
      assert.throws(() => decodeCbor(hex(bytes)), DecodeProblem);
    });
  }
});
