import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer as createTcpServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  ClusterNotFoundException,
  DeleteClusterCommand,
  DescribeTasksCommand,
  ECSClient,
  ListClustersCommand,
  ListServicesCommand,
  RunTaskCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { IAMClient, ListUsersCommand } from '@aws-sdk/client-iam';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { Fault } from './fault.ts';
import { startTestServer, type TestServer, testAccount, testGatekeeper } from './server.testing.ts';
import type { AnyOperation, HttpRoute, RequestContext, ServiceDefinition } from './service.ts';

const seen: { input?: unknown; context?: RequestContext } = {};
const operation = (handle: (input: never, context: RequestContext) => unknown): AnyOperation => ({
  access: () => [{ resource: '*' }],
  handle: async (input, context) => {
    seen.input = input;
    seen.context = context;
    return handle(input as never, context);
  },
});

const services: ServiceDefinition[] = [
  {
    name: 'ecs',
    iamPrefix: 'ecs',
    operations: {
      DescribeTasks: operation(() => ({
        tasks: [{ taskArn: 'arn', createdAt: new Date(1700000000123), containers: [] }],
        failures: [],
      })),
      ListClusters: operation(() => ({ clusterArns: [] })),
      StopTask: operation(() => {
        throw new Fault('ClusterNotFoundException', 'Cluster not found.');
      }),
      RunTask: operation(() => {
        throw new TypeError('a slip of ours');
      }),
      CreateCluster: operation(() => ({})),
      DeleteCluster: operation(() => {
        throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
      }),
    },
  },
  {
    name: 'ec2',
    iamPrefix: 'ec2',
    operations: { DescribeVpcs: operation(() => ({ Vpcs: [{ VpcId: 'vpc-1', Tags: [] }] })) },
  },
  { name: 'iam', iamPrefix: 'iam', operations: { ListUsers: operation(() => ({ Users: [] })) } },
  {
    name: 'sts',
    iamPrefix: 'sts',
    operations: {
      GetCallerIdentity: operation((_input, { caller }) => ({
        Account: caller.accountId,
        Arn: caller.arn,
        UserId: caller.userId,
      })),
      AssumeRoleWithWebIdentity: operation((_input, { caller }) => ({ SubjectFromWebIdentityToken: caller.type })),
    },
  },
];
const routes: HttpRoute[] = [
  { prefix: '/v2/', handle: async (_request, response) => void response.end('registry') },
  { prefix: '/v2/special/', handle: async (_request, response) => void response.end('special') },
  {
    prefix: '/broken/',
    handle: async () => {
      throw new Error('broken');
    },
  },
];

describe('the wire server', () => {
  let server: TestServer;
  let ecs: ECSClient;
  before(async () => {
    server = await startTestServer(services, { routes });
    ecs = new ECSClient(server.client);
  });
  after(async () => {
    ecs.destroy();
    await server.close();
  });

  const post = async (headers: Record<string, string>, body: string | Buffer, path = '/', on: TestServer = server) => {
    const response = await fetch(`http://127.0.0.1:${on.port}${path}`, {
      method: 'POST',
      headers,
      body: new Uint8Array(Buffer.from(body)),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  test('answers awsJson to the genuine client', async () => {
    const { tasks, failures, $metadata } = await ecs.send(
      new DescribeTasksCommand({ tasks: ['a', 'ü€😀'], cluster: 'c' }),
    );
    assert.equal(tasks?.[0]?.createdAt?.getTime(), 1700000000123);
    assert.deepEqual([tasks?.[0]?.containers, failures], [[], []]);
    assert.match($metadata.requestId ?? '', /^[0-9a-f-]{36}$/);
    assert.deepEqual(seen.input, { tasks: ['a', 'ü€😀'], cluster: 'c' });
    assert.equal(seen.context?.endpoint, `http://127.0.0.1:${server.port}`);
    assert.equal(seen.context?.sourceIp, '127.0.0.1');
    assert.equal(seen.context?.accountId, testAccount);
  });

  test('answers ec2Query and awsQuery to the genuine clients', async () => {
    const ec2 = new EC2Client(server.client);
    const { Vpcs } = await ec2.send(
      new DescribeVpcsCommand({ Filters: [{ Name: 'vpc-id', Values: ['vpc-1', 'vpc-2'] }] }),
    );
    assert.deepEqual(Vpcs, [{ VpcId: 'vpc-1', Tags: [] }]);
    assert.deepEqual(seen.input, { Filters: [{ Name: 'vpc-id', Values: ['vpc-1', 'vpc-2'] }] });
    await assert.rejects(ec2.send(new DescribeVpcsCommand({ DryRun: true })), { name: 'DryRunOperation' });
    await assert.rejects(ec2.send(new DescribeVpcsCommand({ MaxResults: 1 })), {
      name: 'InvalidParameterValue',
      message: 'Value ( 1 ) for parameter maxResults is invalid. Expecting a value greater than 5.',
    });
    ec2.destroy();
    const sts = new STSClient(server.client);
    assert.equal((await sts.send(new GetCallerIdentityCommand({}))).Account, testAccount);
    sts.destroy();
  });

  test('lets unsigned callers use operations that need no signature', async () => {
    const sts = new STSClient(server.client);
    const answer = await sts.send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: 'arn:aws:iam::111122223333:role/x',
        RoleSessionName: 'me',
        WebIdentityToken: 'abcd',
      }),
    );
    assert.equal(answer.SubjectFromWebIdentityToken, 'anonymous');
    sts.destroy();
  });

  test('a modelled error arrives as its class, an unexpected one as InternalFailure with no word of its cause', async () => {
    await assert.rejects(ecs.send(new StopTaskCommand({ task: 't' })), (error) => {
      assert(error instanceof ClusterNotFoundException);
      assert.equal(error.message, 'Cluster not found.');
      assert.equal(error.$metadata.httpStatusCode, 400);
      return true;
    });
    await assert.rejects(
      ecs.send(new RunTaskCommand({ taskDefinition: 't' })),
      (error: Error & { $metadata: { httpStatusCode: number } }) => {
        assert.equal(error.name, 'InternalFailure');
        assert.equal(error.$metadata.httpStatusCode, 500);
        assert.doesNotMatch(error.message, /slip/);
        return true;
      },
    );
  });

  test('a full disk is named, so that whoever asked knows what to mend', async () => {
    await assert.rejects(ecs.send(new DeleteClusterCommand({ cluster: 'c' })), {
      name: 'InternalFailure',
      message: /disk .* is full: nothing was changed\. Make room/,
    });
  });

  test('says in the words of AWS what is wrong with an input', async () => {
    await assert.rejects(
      ecs.send(new RunTaskCommand({ taskDefinition: undefined as never, launchType: 'MOON' as never })),
      {
        name: 'InvalidParameterException',
        message:
          "2 validation errors detected: Value null at 'taskDefinition' failed to satisfy constraint: Member must not be null; Value 'MOON' at 'launchType' failed to satisfy constraint: Member must satisfy enum value set: [EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES]",
      },
    );
    const iam = new IAMClient(server.client);
    await assert.rejects(iam.send(new ListUsersCommand({ MaxItems: 5000 })), {
      name: 'ValidationError',
      message:
        "1 validation error detected: Value '5000' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000",
    });
    iam.destroy();
  });

  test('operations: unknown ones and those not done yet', async () => {
    await assert.rejects(ecs.send(new ListServicesCommand({})), {
      name: 'NotImplementedException',
      message: 'Longshore does not implement ecs:ListServices yet',
    });
    const s3 = new S3Client({ ...server.client, forcePathStyle: true });
    await assert.rejects(s3.send(new ListBucketsCommand({})), {
      name: 'NotImplementedException',
      message: 'Longshore does not serve s3',
    });
    s3.destroy();
    const off = await startTestServer(services, { auth: 'off' });
    const json = { 'content-type': 'application/x-amz-json-1.1' };
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const cases: [Record<string, string>, string, number, RegExp][] = [
      [
        { ...json, 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.Nonsense' },
        '{}',
        400,
        /"__type":"UnknownOperationException"/,
      ],
      [
        { ...json, 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.constructor' },
        '{}',
        400,
        /"__type":"UnknownOperationException"/,
      ],
      [{ ...json, 'x-amz-target': 'Nobody.Nonsense' }, '{}', 400, /"__type":"UnknownOperationException"/],
      [
        form,
        'Action=Nonsense&Version=2010-05-08',
        400,
        /<Code>InvalidAction<\/Code><Message>Could not find operation Nonsense for version 2010-05-08/,
      ],
      [
        form,
        'Action=Nonsense&Version=2016-11-15',
        400,
        /<Response><Errors><Error><Code>InvalidAction<.*is not valid for this web service/,
      ],
      [form, 'Action=RunInstances&Version=2016-11-15', 501, /<Code>NotImplementedException<.*ec2:RunInstances/],
      [form, 'Version=2016-11-15', 400, /<Code>MissingAction</],
      [form, 'Action=ListUsers&Version=1999-01-01', 400, /<Code>InvalidAction</],
      [
        form,
        'Action=DescribeVpcs&Version=2016-11-15&Moon=1',
        400,
        /<Code>UnknownParameter<.*The parameter Moon is not recognized/,
      ],
      [form, 'Action=DescribeVpcs&Version=2016-11-15&MaxResults=x', 400, /<Code>InvalidParameterValue</],
      [form, 'Action=ListUsers&Version=2010-05-08&MaxItems=x', 400, /<Code>MalformedInput</],
      [{}, '', 404, /No operation answers POST \//],
    ];
    try {
      for (const [headers, body, status, text] of cases) {
        const answer = await post(headers, body, '/', off);
        assert.equal(answer.status, status, `${body} ${answer.text}`);
        assert.match(answer.text, text);
        assert.match(answer.headers.get('x-amzn-requestid') ?? '', /^[0-9a-f-]{36}$/);
      }
    } finally {
      await off.close();
    }
  });

  test('malformed JSON, wrong types, endless nesting and endless bodies get errors of AWS', async () => {
    const off = await startTestServer(services, { auth: 'off' });
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonEC2ContainerServiceV20141113.CreateCluster',
    };
    const cases: [string | Buffer, RegExp][] = [
      ['{', /"__type":"SerializationException"/],
      ['[]', /Start of list found where not expected/],
      ['"x"', /Expected structure or null/],
      ['{"clusterName":5}', /NUMBER_VALUE can not be converted to a String/],
      ['{"clusterName":{}}', /Start of structure or map found where not expected/],
      ['{"tags":"x"}', /Expected list or null/],
      ['{"tags":[null]}', /Value null at 'tags.1.member' failed/],
      [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /not valid JSON/],
      [`{"tags":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /SerializationException/],
    ];
    try {
      for (const [body, text] of cases) {
        const answer = await post(headers, body, '/', off);
        assert.equal(answer.status, 400, answer.text);
        assert.match(answer.text, text);
      }
      const large = await post(headers, 'x'.repeat(17 * 1024 * 1024), '/', off).catch((error: Error) => error);
      // The answer may come while the client still sends: then it sees either.
      if (!(large instanceof Error)) assert.equal(large.status, 413);
      assert.equal((await post(headers, '{"__proto__":{"polluted":1},"clusterName":"x"}', '/', off)).status, 200);
      assert.equal(({} as { polluted?: number }).polluted, undefined);
    } finally {
      await off.close();
    }
  });

  test('every access is asked for, and a refusal is worded for the protocol', async () => {
    const asked: string[] = [];
    const guarded = await startTestServer(services, {
      gatekeeper: {
        ...testGatekeeper(),
        authorize: async (caller, { action, resource }) => {
          asked.push(`${action} ${resource}`);
          throw new Fault('AccessDeniedException', `User: ${caller.arn} is not authorized to perform: ${action}`);
        },
      },
    });
    const clients = [
      new ECSClient(guarded.client),
      new IAMClient(guarded.client),
      new EC2Client(guarded.client),
    ] as const;
    try {
      await assert.rejects(clients[0].send(new ListClustersCommand({})), { name: 'AccessDeniedException' });
      await assert.rejects(clients[1].send(new ListUsersCommand({})), { name: 'AccessDenied' });
      await assert.rejects(clients[2].send(new DescribeVpcsCommand({})), { name: 'UnauthorizedOperation' });
      assert.deepEqual(asked, ['ecs:ListClusters *', 'iam:ListUsers *', 'ec2:DescribeVpcs *']);
    } finally {
      for (const client of clients) client.destroy();
      await guarded.close();
    }
  });

  test('errors of query services have a Message with a capital, which is all that botocore reads', async () => {
    const off = await startTestServer(
      [
        {
          name: 'iam',
          iamPrefix: 'iam',
          operations: {
            GetUser: operation(() => {
              throw new Fault('NoSuchEntity', 'The user with name <me> cannot be found.');
            }),
          },
        },
      ],
      { auth: 'off' },
    );
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, text } = await post(form, 'Action=GetUser&Version=2010-05-08&UserName=me', '/', off);
    await off.close();
    assert.equal(status, 404);
    assert.match(
      text,
      /^<ErrorResponse xmlns="https:\/\/iam.amazonaws.com\/doc\/2010-05-08\/"><Error><Type>Sender<\/Type><Code>NoSuchEntity<\/Code><Message>The user with name &lt;me&gt; cannot be found.<\/Message><\/Error><RequestId>/,
    );
  });

  test('closing answers what is under way and takes nothing new', async () => {
    let arrived = () => {};
    const underWay = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const closing = await startTestServer(
      [
        {
          name: 'ecs',
          iamPrefix: 'ecs',
          operations: {
            ListClusters: operation(async () => {
              arrived();
              await new Promise((resolve) => setTimeout(resolve, 100));
              return { clusterArns: ['late'] };
            }),
          },
        },
      ],
      { auth: 'off' },
    );
    const client = new ECSClient(closing.client);
    const answer = client.send(new ListClustersCommand({}));
    await underWay;
    const closed = closing.close();
    assert.deepEqual((await answer).clusterArns, ['late']);
    await closed;
    client.destroy();
    const later = new ECSClient(closing.client);
    await assert.rejects(later.send(new ListClustersCommand({})), { code: 'ECONNREFUSED' });
    later.destroy();
  });

  test('routes: the longest prefix answers, a broken one is a 500 that breaks nothing else', async () => {
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
      return [response.status, await response.text()];
    };
    assert.deepEqual(await get('/v2/x'), [200, 'registry']);
    assert.deepEqual(await get('/v2/special/x'), [200, 'special']);
    assert.deepEqual(await get('/broken/x'), [500, 'Internal failure\n']);
    assert.equal((await get('/elsewhere'))[0], 403);
  });

  test('a client that goes away in the middle of its request harms nobody', async () => {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters\r\n\r\n{',
    );
    socket.destroy();
    const rubbish = connect(server.port, '127.0.0.1');
    rubbish.write('rubbish\r\n\r\n');
    const [answer] = await once(rubbish, 'data');
    assert.match(String(answer), /^HTTP\/1.1 400/);
    rubbish.destroy();
    assert.deepEqual((await ecs.send(new ListClustersCommand({}))).clusterArns, []);
  });

  test('a port that is taken is said in plain words', async () => {
    const holder = createTcpServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const { createWireServer } = await import('./server.ts');
    const { systemClock } = await import('../base/clock.ts');
    const { silentLogger } = await import('../base/log.ts');
    const { systemRandom } = await import('../base/random.ts');
    const wire = createWireServer({
      settings: { port, host: '127.0.0.1', auth: 'on', accountId: testAccount, region: 'x' },
      services: [],
      gatekeeper: testGatekeeper(),
      log: silentLogger,
      clock: systemClock,
      random: systemRandom,
    });
    await assert.rejects(wire.listen(), {
      message: new RegExp(`^Port ${port} on 127.0.0.1 is taken by another program`),
    });
    holder.close();
  });
});
