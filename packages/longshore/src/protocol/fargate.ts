/** The hidden cluster whose container instances give Fargate its capacity. */
export const fargateCluster = 'longshore-fargate';

/**
 * How often a Fargate machine's CPU and memory may be promised to tasks. A task's size is a ceiling that its cgroup enforces,
 * and most tasks stay far below theirs: a laptop that ran only what fits side by side would run eight. One task never gets
 * more than a machine has. The server places by it, and a node admits by it.
 */
export const overcommit = { cpu: 16, memory: 4 } as const;
