import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseXml } from './xml.ts';

test('reads structures, lists of member and item, entities and empty elements', () => {
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<DescribeThingsResponse xmlns="http://example.com/">
  <Things><member><Name>a &lt;b&gt; &amp; c &#233;</Name><Tags/></member><member><Name>two</Name></member></Things>
  <set><item>x</item></set>
  <Empty></Empty>
</DescribeThingsResponse>`;
  assert.deepEqual(parseXml(text), {
    Things: [{ Name: 'a <b> & c é', Tags: '' }, { Name: 'two' }],
    set: ['x'],
    Empty: '',
  });
});

test('refuses what is not well-formed', () => {
  for (const text of ['', '<a><b></a></b>', '<a>', '</a>', 'no xml']) {
    assert.throws(() => parseXml(text), /not well-formed/, text);
  }
});
