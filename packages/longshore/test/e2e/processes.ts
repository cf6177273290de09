import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '@aws-sdk/client-ecs';
import { must } from './longshore.ts';

/** CPUs and memory of the task's cgroup, version 1 or 2. */
export async function cgroupLimits(taskId: string): Promise<{ cpus: number; memoryMiB: number }> {
  const found = (await must('find', ['/sys/fs/cgroup', '-type', 'd', '-name', `*${taskId}*`])).trim().split('\n');
  const read = (file: string) => {
    for (const folder of found) {
      try {
        return readFileSync(join(folder, file), 'utf8').trim();
      } catch {}
    }
    return undefined;
  };
  const [quota, period] = read('cpu.max')?.split(' ') ?? [read('cpu.cfs_quota_us'), read('cpu.cfs_period_us')];
  return {
    cpus: Number(quota) / Number(period),
    memoryMiB: Number(read('memory.max') ?? read('memory.limit_in_bytes')) / 2 ** 20,
  };
}

/** Kills the first process of each of a task's containers, found by the hostname or cgroup of the task. */
export async function killContainersOf(task: Task): Promise<void> {
  const id = task.taskArn?.split('/').at(-1) ?? '';
  const files = (await must('find', ['/sys/fs/cgroup', '-path', `*${id}*`, '-name', 'cgroup.procs']))
    .trim()
    .split('\n');
  const pids = new Set(
    files.flatMap((file) => {
      try {
        return readFileSync(file, 'utf8').split('\n').filter(Boolean);
      } catch {
        return [];
      }
    }),
  );
  assert.ok(pids.size > 0, `no process of task ${id} found`);
  for (const pid of pids) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {}
  }
}
