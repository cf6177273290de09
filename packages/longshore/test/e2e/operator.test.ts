import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import {
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  waitUntilTasksRunning,
} from '@aws-sdk/client-ecs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { Longshore, must, run, until } from './longshore.ts';

/** What operators do to Longshore, and what happens to them. */
const bin = join(import.meta.dirname, '../../bin/longshore.mjs');
const simulated = ['--runtime', 'simulated', '--auth', 'off'];

async function withLongshore(args: readonly string[], body: (longshore: Longshore) => Promise<void>): Promise<void> {
  const longshore = await Longshore.create(...args);
  try {
    await longshore.up();
    await body(longshore);
  } finally {
    await longshore.destroy();
  }
}

test('two Longshores run side by side; two on one data directory, or one port, do not', async () => {
  await withLongshore(simulated, async (first) => {
    await withLongshore([...simulated, '--region', 'eu-west-1', '--account-id', '123456789012'], async (second) => {
      const identity = await new STSClient({ ...second.sdk(), region: 'eu-west-1' }).send(
        new GetCallerIdentityCommand({}),
      );
      assert.equal(identity.Account, '123456789012');
      const sameFolder = await run(process.execPath, [
        bin,
        'up',
        '--data-dir',
        first.dataDir,
        '--port',
        '0',
        ...simulated,
      ]);
      assert.notEqual(sameFolder.code, 0);
      assert.match(sameFolder.stderr + sameFolder.stdout, /in use|already/i);
      const folder = mkdtempSync(join(tmpdir(), 'longshore-e2e-'));
      try {
        const samePort = await run(process.execPath, [
          bin,
          'up',
          '--data-dir',
          folder,
          '--port',
          String(second.port),
          ...simulated,
        ]);
        assert.notEqual(samePort.code, 0);
        assert.match(samePort.stderr + samePort.stdout, new RegExp(`${second.port}.*(taken|in use)`, 'i'));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
    assert.equal(
      (await new STSClient(first.sdk()).send(new GetCallerIdentityCommand({}))).$metadata.httpStatusCode,
      200,
    );
  });
});

test('a port that another program holds is named in plain words', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const folder = mkdtempSync(join(tmpdir(), 'longshore-e2e-'));
  try {
    const { code, stdout, stderr } = await run(process.execPath, [
      bin,
      'up',
      '--data-dir',
      folder,
      '--port',
      String(port),
      ...simulated,
    ]);
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, new RegExp(`${port}`));
    assert.doesNotMatch(stdout + stderr, /\n\s+at /, 'no stack trace');
  } finally {
    other.close();
    rmSync(folder, { recursive: true });
  }
});

test('environment: `env` prints what the genuine `aws` needs, credentials are for their owner only', async () => {
  await withLongshore(['--runtime', 'simulated'], async (longshore) => {
    const exports = await longshore.cli('env');
    const said = await must(
      'sh',
      [
        '-c',
        `${exports}\n/usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL" sts get-caller-identity --query Arn --output text`,
      ],
      {
        env: { PATH: process.env.PATH, HOME: longshore.dataDir },
      },
    );
    assert.equal(said.trim(), 'arn:aws:iam::000000000000:root');
    assert.equal(statSync(join(longshore.dataDir, 'credentials.json')).mode & 0o777, 0o600);
  });
});

test('the simulated runtime needs no privileges, and reset wipes its state', async () => {
  const { stdout: uid } = await run('id', ['-u', 'nobody']);
  const longshore = await Longshore.create(...simulated);
  chmodSync(longshore.dataDir, 0o777);
  try {
    await longshore.up({ uid: Number(uid) });
    const anyKey = { ...longshore.sdk(), credentials: { accessKeyId: 'any', secretAccessKey: 'key' } };
    const ecs = new ECSClient(anyKey);
    const ec2 = new EC2Client(anyKey);
    const runTen = async () => {
      const { taskDefinition } = await ecs.send(
        new RegisterTaskDefinitionCommand({
          family: 'pretend',
          networkMode: 'awsvpc',
          requiresCompatibilities: ['FARGATE'],
          cpu: '256',
          memory: '512',
          containerDefinitions: [{ name: 'a', image: 'anything:latest' }],
        }),
      );
      assert.equal(taskDefinition?.revision, 1);
      const { Subnets } = await ec2.send(new DescribeSubnetsCommand({}));
      const { tasks, failures } = await ecs.send(
        new RunTaskCommand({
          taskDefinition: 'pretend',
          launchType: 'FARGATE',
          count: 10,
          networkConfiguration: { awsvpcConfiguration: { subnets: [Subnets?.[0]?.SubnetId ?? ''] } },
        }),
      );
      assert.deepEqual(failures, []);
      await waitUntilTasksRunning(
        { client: ecs, maxWaitTime: 20, minDelay: 1, maxDelay: 1 },
        { tasks: tasks?.map((task) => task.taskArn ?? '') },
      );
    };
    await runTen();
    assert.equal((await fetch(`${longshore.endpoint}/_longshore/reset`, { method: 'POST' })).status, 200);
    assert.equal((await ecs.send(new ListTasksCommand({}))).taskArns?.length, 0);
    await until('the machine to have joined again', 10_000, async () => (await longshore.machines()) > 0);
    await runTen();
  } finally {
    await longshore.destroy();
  }
});

test('reset is refused where something real is behind', async () => {
  await withLongshore(['--runtime', 'simulated'], async (longshore) => {
    assert.equal((await fetch(`${longshore.endpoint}/_longshore/reset`, { method: 'POST' })).status, 403);
  });
});

test('a full disk: the push is refused in plain words, nothing that was there is lost, and with room again it works', async () => {
  const longshore = await Longshore.create('--runtime', 'simulated');
  await must('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'longshore-e2e', longshore.dataDir]);
  try {
    await longshore.up();
    const ecr = new ECRClient(longshore.sdk());
    await ecr.send(new CreateRepositoryCommand({ repositoryName: 'big' }));
    const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
    const authorization = `Basic ${authorizationData?.[0]?.authorizationToken}`;
    const push = async (bytes: number) => {
      const start = await fetch(`${longshore.endpoint}/v2/big/blobs/uploads/`, {
        method: 'POST',
        headers: { authorization },
      });
      const location = new URL(start.headers.get('location') ?? '', longshore.endpoint);
      return fetch(location, {
        method: 'PATCH',
        headers: { authorization, 'content-type': 'application/octet-stream' },
        body: Buffer.alloc(bytes, 1),
      });
    };
    const refused = await push(64 << 20);
    assert.ok(refused.status >= 400, `status ${refused.status}`);
    assert.match(await refused.text(), /space|disk|full/i);
    await until('the failed upload’s space to be free', 10_000, async () => (await push(4 << 20)).status === 202);
    const identity = await new STSClient(longshore.sdk()).send(new GetCallerIdentityCommand({}));
    assert.equal(identity.Account, '000000000000');
  } finally {
    await longshore.destroyKeepingFolder();
    await must('umount', [longshore.dataDir]);
    rmSync(longshore.dataDir, { recursive: true, force: true });
  }
});

test('down on a machine where nothing runs says so and succeeds; doctor answers in JSON', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-e2e-'));
  try {
    await must(process.execPath, [bin, 'down', '--data-dir', folder]);
    const { stdout } = await run(process.execPath, [bin, 'doctor', '--json', '--data-dir', folder]);
    assert.ok(Object.keys(JSON.parse(stdout)).length > 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
