import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DecodeProblem } from './problem.ts';
import { escapeXml, parseXml } from './xml.ts';

describe('XML', () => {
  test('elements, attributes, text, CDATA, comments and prefixes', () => {
    const root = parseXml(
      '\ufeff<?xml version="1.0"?>\n<!-- a -->\n<s:a xmlns:s="u" k = \'v&amp;\'><b/><b x="1">t&lt;&#252;&#x1F600;<![CDATA[<&>]]></b><!-- <c> --></s:a>\n',
    );
    assert.equal(root.name, 'a');
    assert.equal(root.attributes.k, 'v&');
    assert.deepEqual(
      root.children.map(({ name, text }) => [name, text]),
      [
        ['b', ''],
        ['b', 't<ü😀<&>'],
      ],
    );
  });

  test('text comes through escaping unchanged, but for what XML 1.0 can not hold', () => {
    const text = ' grüße\n\t😀 & < > " \' \r ';
    assert.equal(parseXml(`<a>${escapeXml(text)}</a>`).text, text);
    assert.equal(parseXml(`<a b="${escapeXml(text)}"/>`).attributes.b, text);
    assert.equal(escapeXml('a\u0000b\u001f'), 'a\ufffdb\ufffd');
  });

  const malformed = [
    '',
    'text',
    '<a>',
    '<a></b>',
    '<a><b></a></b>',
    '<a/><b/>',
    '<a',
    '<a b></a>',
    '<a>&nope;</a>',
    '<a>&#xFFFFFFF;</a>',
    '<a>&amp</a>',
    '<a/>x',
    '<a><!-- </a>',
    '<a><![CDATA[</a>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a>'.repeat(200) + '</a>'.repeat(200),
  ];
  for (const source of malformed) {
    test(`${source.slice(0, 40) || 'nothing'} is refused`, () => {
      assert.throws(() => parseXml(source), DecodeProblem);
    });
  }

  test('a document of a megabyte of brackets is refused quickly', () => {
    const started = performance.now();
    assert.throws(() => parseXml(`<a ${'b="c" '.repeat(200_000)}`), DecodeProblem);
    assert.throws(() => parseXml('<'.repeat(1_000_000)), DecodeProblem);
    assert.ok(performance.now() - started < 2000);
  });
});
