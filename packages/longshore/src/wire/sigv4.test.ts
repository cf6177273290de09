import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { ECSClient, ListClustersCommand } from '@aws-sdk/client-ecs';
import { IAMClient, ListUsersCommand } from '@aws-sdk/client-iam';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';
import type { HttpRequest } from '@smithy/types';
import { systemClock } from '../base/clock.ts';
import {
  startTestServer,
  type TestServer,
  testCaller,
  testCredentials,
  testGatekeeper,
  testRegion,
} from './server.testing.ts';
import type { AnyOperation, ServiceDefinition, UpgradeRoute } from './service.ts';
import { readSignature, type SignedRequest, SigningKeys, verifySignature } from './sigv4.ts';

class Sha256 {
  private readonly hash;
  constructor(secret?: string | Uint8Array | ArrayBuffer) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array);
  }
  update(data: string | Uint8Array): void {
    this.hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.hash.digest());
  }
}

const now = Date.UTC(2026, 4, 5, 6, 7, 8);
const host = 'localhost:4566';

interface Unsigned {
  method: string;
  path: string;
  query?: Record<string, string | string[]>;
  headers?: Record<string, string>;
  body?: string;
}

const signer = (service: string) =>
  new SignatureV4({
    service,
    region: testRegion,
    credentials: testCredentials,
    sha256: Sha256 as never,
    uriEscapePath: service !== 's3',
  });

const toSign = ({ method, path, query = {}, headers = {}, body }: Unsigned): HttpRequest => ({
  method,
  protocol: 'http:',
  hostname: 'localhost',
  port: 4566,
  path,
  query,
  headers: { host, ...headers },
  body,
});

function asReceived(signed: HttpRequest): SignedRequest {
  const parts = Object.entries(signed.query ?? {}).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map(
      (item) => `${encodeURIComponent(key)}=${encodeURIComponent(item ?? '')}`,
    ),
  );
  return {
    method: signed.method,
    path: signed.path,
    query: parts.join('&'),
    headers: Object.fromEntries(Object.entries(signed.headers).map(([key, value]) => [key.toLowerCase(), value])),
    body: Buffer.from(signed.body ?? ''),
  };
}

const check = (request: SignedRequest, secret = testCredentials.secretAccessKey, at = now) =>
  verifySignature(request, readSignature(request)!, secret, new SigningKeys(), at);

describe('signatures of the genuine signer', () => {
  const requests: [string, string, Unsigned][] = [
    [
      'a POST',
      'ecs',
      {
        method: 'POST',
        path: '/',
        body: '{"a":"ü"}',
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'A.B' },
      },
    ],
    [
      'a GET with a query',
      'sts',
      {
        method: 'GET',
        path: '/',
        query: { Action: 'GetCallerIdentity', Version: '2011-06-15', 'b c': 'd+e/ü', list: ['2', '1'] },
      },
    ],
    ['an escaped path', 'eks', { method: 'GET', path: '/clusters/a%20b%2Fc/x' }],
    ['a path with dots', 'eks', { method: 'GET', path: '/a/./b/../c//d/' }],
    ['a key of S3', 's3', { method: 'PUT', path: '/bucket/a%20b/%C3%BC//c', body: 'x' }],
    ['spaces in headers', 'ecs', { method: 'POST', path: '/', headers: { 'x-amz-meta': '  a   b  ' } }],
  ];
  for (const [name, service, unsigned] of requests) {
    test(`${name}: accepted, and refused when anything changes`, async () => {
      const signed = await signer(service).sign(toSign(unsigned), { signingDate: new Date(now) });
      const request = asReceived(signed);
      check(request);
      assert.throws(() => check(request, 'another secret'), {
        code: 'InvalidSignatureException',
        message: /^The request signature we calculated does not match/,
      });
      assert.throws(() => check({ ...request, method: 'DELETE' }), { code: 'InvalidSignatureException' });
      assert.throws(() => check({ ...request, path: `${request.path}x` }), { code: 'InvalidSignatureException' });
      assert.throws(() => check({ ...request, query: 'x=1' }), { code: 'InvalidSignatureException' });
      assert.throws(() => check({ ...request, body: Buffer.from('other') }));
      assert.throws(() => check({ ...request, headers: { ...request.headers, 'x-amz-target': 'Other' } }), {
        code: 'InvalidSignatureException',
      });
    });
  }

  test('a presigned URL is good until it expires, and not before it starts', async () => {
    const signed = await signer('sts').presign(
      toSign({ method: 'GET', path: '/', query: { Action: 'GetCallerIdentity', Version: '2011-06-15' } }),
      {
        signingDate: new Date(now),
        expiresIn: 900,
      },
    );
    const request = asReceived(signed);
    check(request);
    check(request, undefined, now + 899_000);
    assert.throws(() => check(request, undefined, now + 901_000), {
      code: 'RequestExpired',
      message: /^Signature expired: 20260505T060708Z is now earlier than/,
    });
    assert.throws(() => check(request, undefined, now - 301_000), {
      code: 'RequestExpired',
      message: /^Signature not yet current: /,
    });
    assert.throws(() => check({ ...request, query: request.query.replace('=900', '=90000') }), {
      code: 'InvalidSignatureException',
    });
  });

  test('a signature is good for five minutes either way', async () => {
    const request = asReceived(
      await signer('ecs').sign(toSign({ method: 'POST', path: '/' }), { signingDate: new Date(now) }),
    );
    check(request, undefined, now + 299_000);
    check(request, undefined, now - 299_000);
    assert.throws(() => check(request, undefined, now + 301_000), {
      code: 'RequestExpired',
      message: 'Signature expired: 20260505T060708Z is now earlier than 20260505T060709Z (20260505T061209Z - 5 min.)',
    });
    assert.throws(() => check(request, undefined, now - 301_000), {
      code: 'RequestExpired',
      message:
        'Signature not yet current: 20260505T060708Z is still later than 20260505T060707Z (20260505T060207Z + 5 min.)',
    });
  });

  test('unsigned payloads are taken where the signer says so', async () => {
    const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const request = asReceived(
      await signer('s3').sign(toSign({ method: 'PUT', path: '/b/k', headers, body: 'x' }), {
        signingDate: new Date(now),
      }),
    );
    check({ ...request, body: Buffer.from('anything') });
  });

  test('what is not whole is said to be incomplete', () => {
    const request = (headers: Record<string, string>, query = ''): SignedRequest => ({
      method: 'GET',
      path: '/',
      query,
      headers,
      body: Buffer.alloc(0),
    });
    const cases: [SignedRequest, RegExp][] = [
      [request({ authorization: 'AWS4-HMAC-SHA256' }), /not a valid key=value pair/],
      [
        request({ authorization: 'AWS4-HMAC-SHA256 Credential=a/20260505/r/s/aws4_request' }),
        /requires 'Signature' parameter. .*'SignedHeaders' parameter. .*'X-Amz-Date'/,
      ],
      [request({ authorization: 'AWS4-HMAC-SHA1 Credential=a' }), /Unsupported algorithm/],
      [
        request({
          authorization: 'AWS4-HMAC-SHA256 Credential=a, Signature=b, SignedHeaders=c',
          'x-amz-date': '20260505T060708Z',
        }),
        /exactly 5 slash-delimited/,
      ],
      [
        request({
          authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Signature=b, SignedHeaders=c',
          'x-amz-date': 'today',
        }),
        /ISO-8601/,
      ],
      [request({}, 'X-Amz-Algorithm=AWS4-HMAC-SHA256'), /must include 'X-Amz-Credential'/],
      [
        request(
          {},
          'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/b/c/d/aws4_request&X-Amz-Signature=s&X-Amz-SignedHeaders=h&X-Amz-Date=20260505T060708Z&X-Amz-Expires=-1',
        ),
        /X-Amz-Expires/,
      ],
    ];
    for (const [incomplete, message] of cases)
      assert.throws(() => readSignature(incomplete), { code: 'IncompleteSignatureException', message });
    assert.equal(readSignature(request({ authorization: 'Basic eA==' })), undefined);
    assert.equal(readSignature(request({})), undefined);
  });

  test('a header that matters must be signed', async () => {
    const request = asReceived(
      await signer('ecs').sign(toSign({ method: 'POST', path: '/' }), { signingDate: new Date(now) }),
    );
    assert.throws(() => check({ ...request, headers: { ...request.headers, 'x-amz-new': '1' } }), {
      message: "'x-amz-new' must be a 'SignedHeader' in the AWS Authorization.",
    });
  });
});

describe('authentication as genuine clients see it', () => {
  const nothing: AnyOperation = { access: () => [], handle: async () => ({}) };
  const upgrades: UpgradeRoute[] = [
    {
      path: '/ws',
      handle: async (_request, socket, _head, caller) => {
        socket.end(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nx-caller: ${caller.arn}\r\n\r\n`,
        );
      },
    },
  ];
  const services: ServiceDefinition[] = [
    { name: 'ecs', iamPrefix: 'ecs', operations: { ListClusters: nothing }, upgrades },
    { name: 'iam', iamPrefix: 'iam', operations: { ListUsers: nothing } },
    { name: 'ec2', iamPrefix: 'ec2', operations: { DescribeVpcs: nothing } },
    { name: 's3', iamPrefix: 's3', operations: { ListBuckets: nothing } },
  ];
  const session = {
    secretAccessKey: 'sessionSecret',
    sessionToken: 'token',
    caller: { ...testCaller, type: 'assumed-role' as const },
  };
  const gatekeeper = testGatekeeper({ ASIAGOOD: session, ASIAOLD: { ...session, expiresAt: Date.now() - 1000 } });
  let server: TestServer;
  before(async () => {
    server = await startTestServer(services, { gatekeeper });
  });
  after(() => server.close());

  type Options = { credentials?: object; region?: string; systemClockOffset?: number };
  const calls: Record<string, (options: Options) => Promise<unknown>> = {
    ecs: async (options) => {
      const client = new ECSClient({ ...server.client, ...options } as never);
      return client.send(new ListClustersCommand({})).finally(() => client.destroy());
    },
    iam: async (options) => {
      const client = new IAMClient({ ...server.client, ...options } as never);
      return client.send(new ListUsersCommand({})).finally(() => client.destroy());
    },
    ec2: async (options) => {
      const client = new EC2Client({ ...server.client, ...options } as never);
      return client.send(new DescribeVpcsCommand({})).finally(() => client.destroy());
    },
    s3: async (options) => {
      const client = new S3Client({ ...server.client, forcePathStyle: true, ...options } as never);
      return client.send(new ListBucketsCommand({})).finally(() => client.destroy());
    },
  };
  const cases: [string, Options, Record<string, [name: string, status: number]>][] = [
    [
      'an unknown key',
      { credentials: { accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' } },
      {
        ecs: ['UnrecognizedClientException', 400],
        iam: ['InvalidClientTokenId', 403],
        ec2: ['AuthFailure', 401],
        s3: ['InvalidAccessKeyId', 403],
      },
    ],
    [
      'a wrong secret',
      { credentials: { ...testCredentials, secretAccessKey: 'x' } },
      {
        ecs: ['InvalidSignatureException', 400],
        iam: ['SignatureDoesNotMatch', 403],
        ec2: ['AuthFailure', 401],
        s3: ['SignatureDoesNotMatch', 403],
      },
    ],
    [
      'a clock that is six minutes slow',
      { systemClockOffset: -360_000 },
      {
        ecs: ['InvalidSignatureException', 400],
        iam: ['SignatureDoesNotMatch', 403],
        ec2: ['RequestExpired', 400],
        s3: ['RequestTimeTooSkewed', 403],
      },
    ],
    [
      'a session token that is over',
      { credentials: { accessKeyId: 'ASIAOLD', secretAccessKey: 'sessionSecret', sessionToken: 'token' } },
      {
        ecs: ['ExpiredTokenException', 400],
        iam: ['ExpiredToken', 403],
        ec2: ['RequestExpired', 400],
        s3: ['ExpiredToken', 400],
      },
    ],
    [
      'a session key with another token',
      { credentials: { accessKeyId: 'ASIAGOOD', secretAccessKey: 'sessionSecret', sessionToken: 'other' } },
      {
        ecs: ['UnrecognizedClientException', 400],
        iam: ['InvalidClientTokenId', 403],
        ec2: ['AuthFailure', 401],
        s3: ['InvalidAccessKeyId', 403],
      },
    ],
    [
      'a session key without its token',
      { credentials: { accessKeyId: 'ASIAGOOD', secretAccessKey: 'sessionSecret' } },
      {
        ecs: ['UnrecognizedClientException', 400],
        iam: ['InvalidClientTokenId', 403],
        ec2: ['AuthFailure', 401],
        s3: ['InvalidAccessKeyId', 403],
      },
    ],
    [
      'another region',
      { region: 'ap-south-1' },
      {
        ecs: ['InvalidSignatureException', 400],
        iam: ['SignatureDoesNotMatch', 403],
        ec2: ['AuthFailure', 401],
        s3: ['SignatureDoesNotMatch', 403],
      },
    ],
  ];
  for (const [name, options, expected] of cases) {
    for (const [service, [code, status]] of Object.entries(expected)) {
      test(`${name}, ${service}: ${code}`, async () => {
        await assert.rejects(calls[service]!(options), (error: Error & { $metadata: { httpStatusCode: number } }) => {
          assert.equal(error.name, code, error.message);
          assert.equal(error.$metadata.httpStatusCode, status);
          return true;
        });
      });
    }
  }

  test('good keys, good sessions and us-east-1 for IAM are taken', async () => {
    for (const call of Object.values(calls)) {
      await call({});
      await call({ credentials: { accessKeyId: 'ASIAGOOD', secretAccessKey: 'sessionSecret', sessionToken: 'token' } });
    }
    await calls.iam!({ region: 'us-east-1' });
  });

  test('no signature at all', async () => {
    const url = `http://127.0.0.1:${server.port}/`;
    const json = await fetch(url, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListClusters' },
      body: '{}',
    });
    assert.equal(json.status, 400);
    assert.deepEqual(await json.json(), {
      __type: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    });
    const query = await fetch(url, {
      method: 'POST',
      body: new URLSearchParams({ Action: 'ListUsers', Version: '2010-05-08' }),
    });
    assert.equal(query.status, 403);
    assert.match(
      await query.text(),
      /<Code>MissingAuthenticationToken<\/Code><Message>Request is missing Authentication Token<\/Message>/,
    );
  });

  test('with auth off, any key is the account itself', async () => {
    const open = await startTestServer(services, { auth: 'off' });
    const client = new ECSClient({
      ...open.client,
      region: 'anywhere',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    await client.send(new ListClustersCommand({}));
    client.destroy();
    await open.close();
  });

  test('a WebSocket upgrade is checked before its service sees it', async () => {
    const upgrade = (path: string, headers: Record<string, string>) =>
      new Promise<{ status: number | undefined; headers: Record<string, unknown> }>((resolve, reject) => {
        const request = httpRequest({
          port: server.port,
          host: '127.0.0.1',
          path,
          headers: { connection: 'Upgrade', upgrade: 'websocket', ...headers },
        });
        request.on('upgrade', (response, socket) => {
          socket.destroy();
          resolve({ status: response.statusCode, headers: response.headers });
        });
        request.on('response', (response) => {
          response.resume();
          resolve({ status: response.statusCode, headers: response.headers });
        });
        request.on('error', reject).end();
      });
    const signed = await signer('ecs').sign(
      { ...toSign({ method: 'GET', path: '/ws', query: { a: 'b' } }), headers: { host: `127.0.0.1:${server.port}` } },
      { signingDate: new Date(systemClock.now()) },
    );
    const good = await upgrade('/ws?a=b', signed.headers);
    assert.deepEqual([good.status, good.headers['x-caller']], [101, testCaller.arn]);
    const bad = await upgrade('/ws?a=c', signed.headers);
    assert.deepEqual([bad.status, bad.headers['x-amzn-errortype']], [403, 'InvalidSignatureException']);
    assert.equal((await upgrade('/ws?a=b', {})).status, 403);
    assert.equal((await upgrade('/elsewhere', signed.headers)).status, 404);
  });
});
