/**
 * Task sizes (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#task_size).
 * CPU in units (1024 = one vCPU), memory in MiB; callers may write vCPUs and GB.
 */

const range = (from: number, to: number, step: number) =>
  Array.from({ length: (to - from) / step + 1 }, (_, index) => (from + index * step) * 1024);

/** Memory that Fargate gives to a CPU value. */
const fargateMemory: Readonly<Record<number, readonly number[]>> = {
  256: [512, 1024, 2048],
  512: range(1, 4, 1),
  1024: range(2, 8, 1),
  2048: range(4, 16, 1),
  4096: range(8, 30, 1),
  8192: range(16, 60, 4),
  16384: range(32, 120, 8),
  32768: [60 * 1024, 120 * 1024, 244 * 1024],
};

export const isFargateSize = (cpu: number, memory: number): boolean => fargateMemory[cpu]?.includes(memory) ?? false;

/** `256`, `.5 vCPU`, `1 vcpu` as CPU units; undefined where it is neither. */
export function parseCpu(text: string): number | undefined {
  const match = /^\s*(\d*\.?\d+)\s*(vcpu)?\s*$/i.exec(text);
  if (!match) return undefined;
  const value = Number(match[1]) * (match[2] ? 1024 : 1);
  return Number.isInteger(value) && value > 0 ? value : undefined;
}

/** `512`, `1 GB`, `.5GB`, `1024 MB` as MiB; undefined where it is neither. */
export function parseMemory(text: string): number | undefined {
  const match = /^\s*(\d*\.?\d+)\s*(gb|mb)?\s*$/i.exec(text);
  if (!match) return undefined;
  const value = Number(match[1]) * (match[2]?.toLowerCase() === 'gb' ? 1024 : 1);
  return Number.isInteger(value) && value > 0 ? value : undefined;
}
