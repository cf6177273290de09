import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../../../../cli/checks.ts';
import { s3Location } from './location.ts';

/** Why tests against a real S3 server are skipped here, or false. */
export const noMoto: string | false = findProgram('moto_server')
  ? false
  : 'NOT RUN: moto_server is not installed (pip install "moto[server]")';

/** An S3 server of a test's own. */
export async function startMoto() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  const child = spawn(findProgram('moto_server') ?? 'moto_server', ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: 'ignore',
  });
  const endpoint = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries += 1, await sleep(100)) {
    if (child.exitCode !== null || tries > 400) throw new Error('moto_server did not start');
    if (
      await fetch(`${endpoint}/moto-api/`).then(
        (reply) => reply.ok,
        () => false,
      )
    )
      break;
  }
  return {
    endpoint,
    /** A fresh bucket as a setting. */
    async bucket(): Promise<string> {
      const name = `b-${randomUUID()}`;
      const made = await fetch(`${endpoint}/${name}`, { method: 'PUT' });
      if (!made.ok) throw new Error(`moto_server made no bucket: ${await made.text()}`);
      return `s3://${name}/registry?endpoint=${encodeURIComponent(endpoint)}`;
    },
    env: { LONGSHORE_S3_ACCESS_KEY_ID: 'test', LONGSHORE_S3_SECRET_ACCESS_KEY: 'secret' },
    location(setting: string) {
      return s3Location(setting, this.env);
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
