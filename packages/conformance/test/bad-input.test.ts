import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { test } from 'node:test';
import { badInputs } from '../src/oracle/bad-values.ts';
import { oracleServices } from '../src/oracle/clients.ts';
import { type Rig, startRig } from '../src/oracle/oracle.ts';
import { ValueMaker } from '../src/oracle/values.ts';

/** How many inputs are broken for one operation: the whole sweep takes seconds, not minutes. */
const brokenPerOperation = 8;

/** What a service says of an input that breaks its model. */
const codes: Readonly<Record<string, RegExp>> = {
  ecs: /^InvalidParameterException$/,
  ecr: /^InvalidParameterException$/,
  logs: /^InvalidParameterException$/,
  eks: /^InvalidParameterException$/,
  ec2: /^(MissingParameter|InvalidParameterValue)$/,
  elbv2: /^ValidationError$/,
  iam: /^ValidationError$/,
  sts: /^ValidationError$/,
  cloudwatch: /^ValidationE(rror|xception)$/,
  s3: /^InvalidArgument$/,
};

interface Raw {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

for (const service of oracleServices) {
  const title = `${service.name}${service.protocol ? ` (${service.protocol})` : ''}`;
  test(`${title}: whatever is wrong with a request, the answer says so and is never a 500`, {
    timeout: 120_000,
  }, async (context) => {
    const rig = await startRig(service, 'off');
    context.after(() => rig.close());
    const raws = captureRaw(rig);
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    context.after(() => agent.destroy());
    const wrong: string[] = [];
    let broken = 0;
    let garbled = 0;
    for (const [name, { input: shape }] of rig.operations) {
      const good = shape ? new ValueMaker(rig.model, 'full').structure(shape) : {};
      const send = (input: unknown) =>
        rig.client.send(new rig.sdk[`${name}Command`](input)).then(
          () => undefined,
          (error: unknown) => error,
        );
      for (const { input, what } of shape ? badInputs(rig.model, shape, good, brokenPerOperation) : []) {
        const before = raws.length;
        const error = await send(input);
        // The client itself may refuse, then nothing was sent.
        if (raws.length === before) continue;
        broken++;
        const code = error?.name ?? 'an answer';
        if (!(codes[service.name] ?? /^ValidationException$/).test(code))
          wrong.push(`${name} ${what}: ${code} ${error?.message ?? ''}`);
      }
      raws.length = 0;
      await send(good);
      const raw = raws[0];
      for (const [what, mutated] of raw ? garble(raw) : []) {
        garbled++;
        const status = await replay(rig, agent, mutated);
        // 501: two operations of S3 are signed for services of their own, which are not served.
        if (status >= 500 && status !== 501) wrong.push(`${name} ${what}: ${status}`);
      }
    }
    context.diagnostic(`${title}: ${broken} broken inputs, ${garbled} garbled requests`);
    assert.ok(garbled > 0);
    assert.deepEqual(wrong.slice(0, 30), []);
  });
}

/** Keeps what the genuine client sends, so that it can be sent again with something changed. */
function captureRaw(rig: Rig): Raw[] {
  const raws: Raw[] = [];
  rig.client.middlewareStack.add(
    // biome-ignore lint/suspicious/noExplicitAny: the client's middleware has no type that all clients share.
    (next: any) => async (step: any) => {
      const { method, path, query, headers, body } = step.request;
      const pairs = Object.entries(query ?? {}).flatMap(([key, value]) =>
        [value].flat().map((item) => [key, `${item ?? ''}`] as [string, string]),
      );
      const search = new URLSearchParams(pairs).toString();
      raws.push({
        method,
        path: search ? `${path}?${search}` : path,
        headers: { ...headers },
        body: Buffer.from(body ?? ''),
      });
      return next(step);
    },
    { step: 'finalizeRequest', priority: 'low', name: 'capture' },
  );
  return raws;
}

/** Ways in which a request goes wrong on its way or is made by someone with no client. */
function* garble(raw: Raw): Generator<[string, Raw]> {
  const { body } = raw;
  const text = body.toString('utf8');
  yield ['half a body', { ...raw, body: body.subarray(0, body.length >> 1) }];
  yield ['no body', { ...raw, body: Buffer.alloc(0) }];
  yield ['bytes', { ...raw, body: Buffer.from([0xff, 0x00, 0x80, 0xc3, 0x28]) }];
  yield ['JSON of another kind', { ...raw, body: Buffer.from('[[[{}]]]') }];
  yield ['an unbalanced element', { ...raw, body: Buffer.from('<a><b></a>') }];
  if (text.startsWith('{')) {
    const parsed = JSON.parse(text) as Record<string, unknown>;
    for (const key of Object.keys(parsed).slice(0, 6)) {
      for (const other of [{ x: [1] }, [[{}]], 1e300, 'x', true]) {
        yield [`${key} of another type`, { ...raw, body: Buffer.from(JSON.stringify({ ...parsed, [key]: other })) }];
      }
    }
  } else if (raw.headers['content-type']?.includes('urlencoded')) {
    const keys = [...new URLSearchParams(text).keys()]
      .filter((key) => key !== 'Action' && key !== 'Version')
      .slice(0, 6);
    for (const key of keys) {
      const parameters = new URLSearchParams(text);
      parameters.set(key, '\u0000 not a number');
      parameters.set(`${key}.member.99999999`, 'x');
      parameters.set(`${key}.1.x.`, 'x');
      yield [`${key} garbled`, { ...raw, body: Buffer.from(parameters.toString()) }];
    }
  } else if (text.startsWith('<')) {
    yield ['texts replaced', { ...raw, body: Buffer.from(text.replace(/>[^<>]+</g, '>not a number<')) }];
    yield ['elements renamed', { ...raw, body: Buffer.from(text.replace(/<(\/?)(\w)/g, '<$1x$2')) }];
  }
  yield ['a path with bad escapes', { ...raw, path: `${raw.path.split('?')[0]}%zz` }];
}

function replay(rig: Rig, agent: Agent, { method, path, headers, body }: Raw): Promise<number> {
  const kept = Object.entries(headers).filter(
    ([name]) => !/^(content-length|transfer-encoding|expect|host|content-encoding)$/i.test(name),
  );
  return new Promise((resolve, reject) => {
    const sent = httpRequest({
      port: rig.server.port,
      host: '127.0.0.1',
      method,
      path,
      agent,
      headers: { ...Object.fromEntries(kept), 'content-length': body.length },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.setTimeout(10_000, () => sent.destroy(new Error('no answer')));
    sent.end(body);
  });
}
