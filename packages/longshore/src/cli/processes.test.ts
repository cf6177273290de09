import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { portHolder, portTrouble } from './port.ts';
import { endProcess, isAlive, readRecord, recordOf, writeRecord } from './processes.ts';

test('a process is known by its number and its start; one that ignores SIGTERM is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-processes-'));
  const child = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await once(child.stdout, 'data');
    const file = join(folder, 'pid');
    writeRecord(file, child.pid as number);
    const record = readRecord(file);
    assert.equal(record?.pid, child.pid);
    writeFileSync(file, JSON.stringify({ pid: child.pid, startedAt: 'another boot/1' }));
    assert.equal(readRecord(file), undefined, 'the same number of another time is another process');
    assert.ok(record);
    assert.equal(await endProcess(record, 200), true);
    assert.equal(isAlive(record), false);
    assert.equal(recordOf(child.pid as number), undefined);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

test('who holds a port is named', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    assert.equal(await portTrouble('127.0.0.1', port), 'EADDRINUSE');
    assert.match(portHolder(port) ?? '', new RegExp(`\\(pid ${process.pid}\\)$`));
  } finally {
    server.close();
    await once(server, 'close');
  }
  assert.equal(await portTrouble('127.0.0.1', port), undefined);
  assert.equal(portHolder(port), undefined);
});
