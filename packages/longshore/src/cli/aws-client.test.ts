import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { AwsError, awsClient, flatten, listOf } from './aws-client.ts';

async function answering(
  status: number,
  body: string,
  run: (port: number, asked: () => string) => Promise<void>,
): Promise<void> {
  let asked = '';
  const server = createServer(async (request: IncomingMessage, response) => {
    for await (const chunk of request) asked += chunk;
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await run((server.address() as AddressInfo).port, () => asked);
  } finally {
    server.close();
  }
}

const connection = (port: number) => ({
  endpoint: `http://127.0.0.1:${port}`,
  region: 'us-east-1',
  accountId: '123456789012',
  accessKeyId: 'AKIA0',
  secretAccessKey: 'secret',
});

test('parameters of the query protocols: query lists carry member, ec2’s do not', () => {
  const input = { Names: ['a', 'b'], Action: { Type: 'forward', N: 1 }, absent: undefined };
  assert.deepEqual(flatten(input, 'member'), [
    ['Names.member.1', 'a'],
    ['Names.member.2', 'b'],
    ['Action.Type', 'forward'],
    ['Action.N', '1'],
  ]);
  assert.deepEqual(flatten({ Filter: [{ Name: 'x', Value: ['y'] }] }, 'flat'), [
    ['Filter.1.Name', 'x'],
    ['Filter.1.Value.1', 'y'],
  ]);
});

test('a query call answers its result without the wrapper', async () => {
  const xml = '<AResponse><AResult><Names><member>x</member></Names><None/></AResult></AResponse>';
  await answering(200, xml, async (port, asked) => {
    const answer = await awsClient(connection(port)).call<{ Names: string[]; None: string }>('elbv2', 'A', {
      Names: ['x'],
    });
    assert.deepEqual(listOf(answer.Names), ['x']);
    assert.deepEqual(listOf(answer.None), []);
    assert.equal(asked(), 'Action=A&Version=2015-12-01&Names.member.1=x');
  });
});

test('errors of both protocols carry AWS’s code, message and status', async () => {
  const expected = (code: string, message: string) => (error: AwsError) =>
    error instanceof AwsError &&
    error.code === code &&
    error.message === `Op: ${message} (${code})` &&
    error.status === 400;
  const json = '{"__type":"com.amazonaws.ecs#ClusterNotFoundException","message":"Cluster not found."}';
  await answering(400, json, async (port) => {
    await assert.rejects(
      awsClient(connection(port)).call('ecs', 'Op'),
      expected('ClusterNotFoundException', 'Cluster not found.'),
    );
  });
  const xml = '<ErrorResponse><Error><Code>TargetGroupNotFound</Code><Message>None</Message></Error></ErrorResponse>';
  await answering(400, xml, async (port) => {
    await assert.rejects(awsClient(connection(port)).call('elbv2', 'Op'), expected('TargetGroupNotFound', 'None'));
  });
});

test('where nothing answers, the words say how to start it', async () => {
  let free = 0;
  await answering(200, '', async (port) => {
    free = port;
  });
  await assert.rejects(
    awsClient(connection(free)).call('ecs', 'ListClusters'),
    /Nothing answers at http:\/\/127\.0\.0\.1/,
  );
});
