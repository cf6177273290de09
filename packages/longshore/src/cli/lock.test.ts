import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockDataDir, pidFile } from './lock.ts';
import { writeRecord } from './processes.ts';

test('a data directory has one holder; a killed holder leaves no stale lock', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-lock-'));
  const source = `const { lockDataDir } = await import(${JSON.stringify(import.meta.resolve('./lock.ts'))});
    lockDataDir(${JSON.stringify(folder)}); console.log('locked'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    writeRecord(pidFile(folder), child.pid as number);
    assert.throws(
      () => lockDataDir(folder),
      new RegExp(`${folder} is already in use by another Longshore \\(pid ${child.pid}\\)`),
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    const unlock = lockDataDir(folder);
    unlock();
    lockDataDir(folder)();
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
