import { createSocket } from 'node:dgram';
import { createConnection, isIPv6 } from 'node:net';

/** The servers of a resolv.conf text, e.g. `10.0.0.2`; at most three, as resolvers do (resolv.conf(5)). */
export function nameservers(resolvConf: string): string[] {
  return [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '').slice(0, 3);
}

/** Asks one server after another, `tryMs` each, and answers the first packet with the query's id. Throws where none answers. */
export async function forward(
  query: Buffer,
  servers: readonly string[],
  how: 'udp' | 'tcp',
  tryMs = 2_000,
): Promise<Buffer> {
  let reason = 'this machine has no resolver';
  for (const server of servers) {
    try {
      return await (how === 'udp' ? askByUdp(query, server, tryMs) : askByTcp(query, server, tryMs));
    } catch (error) {
      reason = (error as Error).message;
    }
  }
  throw new Error(`No resolver answered: ${reason}`);
}

const late = (server: string, ms: number): Error => new Error(`${server} did not answer within ${ms} ms`);

function askByUdp(query: Buffer, server: string, tryMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    const finish = (error: Error | undefined, answer?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      if (answer) resolve(answer);
      else reject(error ?? late(server, tryMs));
    };
    const timer = setTimeout(() => finish(late(server, tryMs)), tryMs);
    socket.on('error', finish);
    // Connected, so that only this server's packets come in; a random port is the kernel's choice each time.
    socket.connect(53, server, () => socket.send(query));
    socket.on('message', (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0)) finish(undefined, answer);
    });
  });
}

function askByTcp(query: Buffer, server: string, tryMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: server, port: 53 });
    const finish = (error: Error | undefined, answer?: Buffer): void => {
      clearTimeout(timer);
      socket.destroy();
      if (answer) resolve(answer);
      else reject(error ?? late(server, tryMs));
    };
    const timer = setTimeout(() => finish(late(server, tryMs)), tryMs);
    let received = Buffer.alloc(0);
    socket.on('error', finish);
    socket.on('close', () => finish(new Error(`${server} closed the connection`)));
    socket.on('connect', () => socket.write(framed(query)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        finish(undefined, received.subarray(2, 2 + received.readUInt16BE(0)));
      }
    });
  });
}

/** A packet with its length before it, as TCP carries it (RFC 1035, section 4.2.2). */
export function framed(packet: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  return Buffer.concat([length, packet]);
}
