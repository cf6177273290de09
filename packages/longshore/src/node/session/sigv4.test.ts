import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ECSClient, ListClustersCommand } from '@aws-sdk/client-ecs';
import { sign } from './sigv4.ts';

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

test("AWS's test suite: get-vanilla-query-order-key-case", () => {
  const headers = sign(
    { method: 'GET', url: new URL('https://example.amazonaws.com/?Param2=value2&Param1=value1'), headers: {} },
    credentials,
    { service: 'service', region: 'us-east-1', now: Date.UTC(2015, 7, 30, 12, 36, 0) },
  );
  assert.match(
    headers.authorization ?? '',
    /Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500$/,
  );
});

test('the same signature as the genuine SDK gives the same request', async () => {
  type Sent = { method: string; path: string; hostname: string; headers: Record<string, string>; body: string };
  let sent: Sent | undefined;
  const client = new ECSClient({
    region: 'eu-west-1',
    endpoint: 'http://ecs.example:80',
    credentials: { ...credentials, sessionToken: 'token+/=' },
    requestHandler: {
      handle: async (request: Sent) => {
        sent = request;
        throw new Error('not sent');
      },
    } as never,
    maxAttempts: 1,
  });
  await assert.rejects(client.send(new ListClustersCommand({ maxResults: 3 })), /not sent/);
  assert.ok(sent);
  const theirs = sent.headers.authorization ?? '';
  const signed = /SignedHeaders=([^,]+)/.exec(theirs)?.[1]?.split(';') ?? [];
  const headers = Object.fromEntries(
    Object.entries(sent.headers).filter(([name]) => signed.includes(name) && name !== 'host' && name !== 'x-amz-date'),
  );
  const date = sent.headers['x-amz-date']!;
  const now = Date.parse(date.replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, '$1-$2-$3T$4:$5:$6Z'));
  const ours = sign(
    { method: sent.method, url: new URL(`http://${sent.headers.host ?? sent.hostname}/`), headers, body: sent.body },
    { ...credentials, sessionToken: 'token+/=' },
    { service: 'ecs', region: 'eu-west-1', now },
  );
  assert.equal(ours.authorization, theirs);
});
