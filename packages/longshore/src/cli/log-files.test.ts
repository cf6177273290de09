import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLogFile } from './log-files.ts';

test('lines go to a file, which makes room for the next one when it is large', () => {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-logs-'));
  try {
    mkdirSync(join(folder, 'logs'));
    const path = join(folder, 'logs/control.log');
    writeFileSync(path, 'x'.repeat(20 * 1024 * 1024 + 1));
    const log = openLogFile(folder, 'control', 'info');
    log.child({ task: 't1' }).info({ code: 3 }, 'it ended');
    log.debug({}, 'not at this level');
    assert.ok(existsSync(`${path}.1`));
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    assert.equal(lines.length, 1);
    const { time, ...line } = JSON.parse(lines[0] as string);
    assert.ok(Math.abs(time - Date.now()) < 60_000);
    assert.deepEqual(line, { level: 30, task: 't1', code: 3, msg: 'it ended' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
