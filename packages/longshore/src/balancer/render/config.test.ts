import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { LoadBalancerDocument, RuleDocument } from '../../protocol/documents.ts';
import { renderConfig, type Server } from './config.ts';
import { anchored, queryPattern, urlText, wildcard } from './quote.ts';

const run = promisify(execFile);
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-render-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const group = {
  arn: 'tg',
  protocol: 'HTTP',
  protocolVersion: 'HTTP1',
  attributes: {},
  healthCheck: {
    enabled: true,
    protocol: 'HTTP',
    port: 'traffic-port',
    path: '/',
    intervalSeconds: 30,
    timeoutSeconds: 5,
    healthyThreshold: 5,
    unhealthyThreshold: 2,
    matcher: '200',
  },
  targets: [],
} as const;
const document = (rules: readonly RuleDocument[], more: Partial<LoadBalancerDocument> = {}): LoadBalancerDocument => ({
  arn: 'lb',
  name: 'lb',
  type: 'application',
  dnsName: 'lb.elb.localhost',
  scheme: 'internal',
  vpcId: 'vpc',
  interfaceIds: [],
  attributes: {},
  listeners: [{ arn: 'listener', port: 80, protocol: 'HTTP', rules }],
  targetGroups: [group],
  ...more,
});
const render = (one: LoadBalancerDocument, servers: Server[] = []) =>
  renderConfig(one, new Map([['tg', servers]]), { folder });

/** HAProxy's own judgement. */
async function accepted(one: LoadBalancerDocument): Promise<void> {
  const { text, files } = render(one);
  for (const [name, content] of files) await writeFile(join(folder, name), content);
  await writeFile(join(folder, 'test.cfg'), text);
  await run('haproxy', ['-c', '-f', join(folder, 'test.cfg')]);
}

test('servers do not change the structure, rules and attributes do', () => {
  const forward = {
    arn: 'r',
    conditions: [],
    action: { type: 'forward', targetGroups: [{ arn: 'tg', weight: 1 }] },
  } as const;
  const plain = render(document([forward]));
  const server = { name: '10.0.0.1_80', address: '10.0.0.1', port: 80, ready: false };
  const withServer = render(document([forward]), [server]);
  assert.equal(withServer.structure, plain.structure);
  assert.match(withServer.text, /server 10\.0\.0\.1_80 10\.0\.0\.1:80 id \d+ disabled/);
  assert.notEqual(
    render(document([forward], { attributes: { 'idle_timeout.timeout_seconds': '5' } })).structure,
    plain.structure,
  );
});

test('what can not be served is said and not rendered', () => {
  const bad = document([
    {
      arn: 'r',
      conditions: [{ field: 'http-header', name: 'a b', values: ['x'] }],
      action: { type: 'fixed-response', status: 200 },
    },
  ]);
  assert.match(render(bad).problems.join(), /Rule r is not served: Header name "a b"/);
  const secure = document([], { listeners: [{ arn: 'l', port: 443, protocol: 'HTTPS', rules: [] }] });
  assert.match(render(secure).problems.join(), /HTTPS is not supported yet/);
  assert.doesNotMatch(render(secure).text, /443/);
});

test('attributes of a load balancer become what HAProxy does', async () => {
  const forward = { arn: 'r', conditions: [], action: { type: 'fixed-response', status: 200 } } as const;
  const on = (port: number, attributes: Record<string, string> = {}) =>
    document([], { attributes, listeners: [{ arn: 'l', port, protocol: 'HTTP', rules: [forward] }] });
  assert.match(render(on(80)).text, /set-header Host %\[req\.hdr\(host\),host_only\]/);
  assert.match(render(on(8080)).text, /set-header Host %\[req\.hdr\(host\)\]:8080 .*port_only -m int 0/);
  const all = on(80, {
    'routing.http.preserve_host_header.enabled': 'true',
    'routing.http.drop_invalid_header_fields.enabled': 'true',
    'routing.http2.enabled': 'false',
  });
  assert.doesNotMatch(render(all).text, /set-header Host/);
  assert.match(render(all).text, /del-header \[\^-A-Za-z0-9\] -m reg/);
  assert.match(render(all).text, /bind 0\.0\.0\.0:80 proto h1\n/);
  for (const one of [on(80), on(8080), all]) await accepted(one);
});

test('what no target group can be served with is said, and answered 503', async () => {
  for (const unserved of [{ protocolVersion: 'GRPC' }, { protocolVersion: 'HTTP2' }, { protocol: 'TCP' }] as const) {
    const one = document([], { targetGroups: [{ ...group, ...unserved }] });
    assert.match(render(one).problems.join(), /Target group tg is not served: its protocol.*(GRPC|HTTP2|TCP), is not/);
    assert.match(render(one).text, /return status 503 [^\n]*503\.html\n/);
    await accepted(one);
  }
});

test('wildcards match as the regular expression says, and nothing else in them is special', () => {
  const match = (pattern: string, text: string) => new RegExp(anchored(pattern).slice(1, -1)).test(text);
  assert.ok(match('/img/*', '/img/a/b.png') && !match('/img/*', '/images/'));
  assert.ok(match('a?c', 'abc') && !match('a?c', 'ac'));
  assert.ok(match('a.(b)+[c]', 'a.(b)+[c]') && !match('a.c', 'abc'));
  assert.ok(new RegExp(queryPattern({ key: 'v', value: '1*' }).slice(1, -1)).test('a=b&v=12'));
  assert.ok(!new RegExp(queryPattern({ key: 'v', value: '1' }).slice(1, -1)).test('av=1'));
  assert.equal(urlText("a b'\n%[src]"), 'a%%20b%%27%%0A%%%%5Bsrc%%5D');
});

test('whatever callers write, the configuration has the same lines, and HAProxy takes it', async () => {
  // A small generator of its own, so that a failure can be repeated.
  let seed = 20_260_101;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >> 8) % below;
  };
  const nasty = [
    "'",
    '"',
    '\\',
    '\n',
    '\r',
    ' ',
    '#',
    '%',
    '[',
    ']',
    '{',
    '}',
    '(',
    ')',
    '$',
    '*',
    '?',
    '^',
    '|',
    '\0',
    'é',
    '😀',
    ',',
    ';',
    '&',
    '=',
    'a',
    '/',
    '~',
    '`',
    '-',
  ];
  const text = (length: number): string => Array.from({ length }, () => nasty[random(nasty.length)]).join('');
  for (let round = 0; round < 25; round += 1) {
    const rules = Array.from(
      { length: 6 },
      (_, index): RuleDocument => ({
        arn: `r${index}`,
        conditions: [
          { field: 'path-pattern', values: [text(random(40) + 1), text(5)] },
          { field: 'host-header', values: [text(8)] },
          { field: 'http-header', name: 'X-Any', values: [text(12)] },
          { field: 'query-string', values: [{ key: text(4), value: text(9) }, { value: text(6) }] },
        ],
        action:
          index % 2 === 0
            ? { type: 'fixed-response', status: 200, contentType: 'text/plain', body: text(30) }
            : {
                type: 'redirect',
                status: 302,
                protocol: 'HTTPS',
                host: text(6),
                port: '#{port}',
                path: `/${text(9)}#{path}`,
                query: text(7),
              },
      }),
    );
    const { text: config, problems } = render(document(rules));
    assert.deepEqual(problems, []);
    for (const line of config.split('\n')) assert.match(line, /^[\x20-\x7e]*$/);
    await accepted(document(rules));
  }
  assert.match(wildcard(nasty.join('')), /^[A-Za-z0-9/_\-\\.*]*$/);
});
