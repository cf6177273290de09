// biome-ignore lint/correctness/noNodejsModules: hashing is pure.
import { createHash } from 'node:crypto';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** The folder name of a load balancer, and the back end's of a target group: short, and of characters that no parser minds. */
export const folderName = (loadBalancerArn: string): string => `lb-${digest(loadBalancerArn)}`;
export const backendName = (targetGroupArn: string): string => `tg-${digest(targetGroupArn)}`;

/** Throws unless `id` is an IPv4 address and `port` a port: both enter configurations and commands. */
export function serverName(id: string, port: number): string {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(id) || !Number.isInteger(port) || port < 1 || port > 65535) {
    throw new Error(
      `${JSON.stringify(id)} port ${port} is no target that can be served: an IPv4 address and a port are needed.`,
    );
  }
  return `${id}_${port}`;
}

/** `balance random` starves servers without an id of their own where the back end began empty, so every server has one. */
export function serverId(name: string): number {
  return (Number.parseInt(createHash('sha256').update(name).digest('hex').slice(0, 8), 16) & 0x7fffffff) | 1;
}

/** Stands in `show info` for the structure that a process serves. */
export const structureHash = (text: string, files: ReadonlyMap<string, string>): string =>
  digest(JSON.stringify([text, [...files].sort(([one], [other]) => (one < other ? -1 : 1))]));
