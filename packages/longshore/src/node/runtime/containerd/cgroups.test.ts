import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutFrom, limitWrites } from './cgroups.ts';

const hybrid = `tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0`;
const unified = 'cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0';
const limits = { cpuUnits: 256, memoryMiB: 512, pids: 100 };
const flat = (mounts: string) =>
  limitWrites(layoutFrom(mounts), '/longshore-1a2b/task', limits).map(
    ({ folder, file, value }) => `${folder}/${file}=${value}`,
  );

test('v1, also in hybrid mode: a quarter vCPU and 512 MiB in each controller’s own tree', () => {
  assert.deepEqual(flat(hybrid), [
    '/sys/fs/cgroup/cpu,cpuacct/longshore-1a2b/task/cpu.cfs_period_us=100000',
    '/sys/fs/cgroup/cpu,cpuacct/longshore-1a2b/task/cpu.cfs_quota_us=25000',
    '/sys/fs/cgroup/cpu,cpuacct/longshore-1a2b/task/cpu.shares=256',
    '/sys/fs/cgroup/memory/longshore-1a2b/task/memory.limit_in_bytes=536870912',
    '/sys/fs/cgroup/memory/longshore-1a2b/task/memory.memsw.limit_in_bytes=536870912',
    '/sys/fs/cgroup/pids/longshore-1a2b/task/pids.max=100',
  ]);
});

test('v2: the same in the unified tree', () => {
  assert.deepEqual(flat(unified), [
    '/sys/fs/cgroup/longshore-1a2b/task/cpu.max=25000 100000',
    '/sys/fs/cgroup/longshore-1a2b/task/cpu.weight=10',
    '/sys/fs/cgroup/longshore-1a2b/task/memory.max=536870912',
    '/sys/fs/cgroup/longshore-1a2b/task/memory.swap.max=0',
    '/sys/fs/cgroup/longshore-1a2b/task/pids.max=100',
  ]);
});

test('a machine without control groups is told so', () => {
  assert.throws(() => layoutFrom('proc /proc proc rw 0 0'), /no control groups/);
});
