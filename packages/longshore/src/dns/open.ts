import { createSocket, type Socket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import type { Logger } from '../base/log.ts';
import type { HostLink, Networks } from '../node/network/networks.ts';
import type { NodeSettings } from '../node/settings.ts';
import { empty, ownAnswer, type Records, recordsOf, serverFailure, udpLimit } from './answer.ts';
import { forward, framed, nameservers } from './forward.ts';
import type { Names } from './names.ts';

/** Questions that wait for the machine's resolvers at most; more are refused at once with SERVFAIL. */
const forwardedAtMost = 512;
const tcpIdleMs = 10_000;
const resolvConfMs = 5_000;
const truncated = 1 << 9;

interface Post {
  readonly udp: Socket;
  readonly tcp: Server;
}

/** The resolver: it listens at the host's end of every VPC's link, to where the routers lead 169.254.169.253 port 53. */
export function openNames(_settings: NodeSettings, networks: Networks, log: Logger): Names {
  let records: Records = new Map();
  let servers: readonly string[] = [];
  let readAt = Number.NEGATIVE_INFINITY;
  let turn = 0;
  let waiting = 0;
  let stopped = true;
  const posts = new Map<string, Post>();

  const resolvers = async (): Promise<readonly string[]> => {
    if (performance.now() - readAt > resolvConfMs) {
      readAt = performance.now();
      servers = nameservers(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
    }
    return servers;
  };

  /** What to say to a packet; nothing to what is no question. */
  const answer = async (packet: Buffer, how: 'udp' | 'tcp'): Promise<Buffer | undefined> => {
    let query: Packet;
    try {
      query = decode(packet);
    } catch {
      return undefined;
    }
    if (query.type !== 'query') return undefined;
    turn += 1;
    const own = ownAnswer(query, records, turn);
    if (own) {
      const said = encode(own);
      if (how === 'tcp' || said.length <= udpLimit(query)) return said;
      return encode({ ...own, flags: (own.flags ?? 0) | truncated, answers: [] });
    }
    if (waiting >= forwardedAtMost) return encode(empty(query, serverFailure));
    waiting += 1;
    try {
      return await forward(packet, await resolvers(), how);
    } catch (error) {
      log.debug({ name: query.questions?.[0]?.name }, (error as Error).message);
      return encode(empty(query, serverFailure));
    } finally {
      waiting -= 1;
    }
  };

  const listen = ({ vpcId, hostAddress, resolverPort }: HostLink): Post => {
    const complain = (error: Error): void => {
      log.error(
        { vpcId },
        `The resolver of ${vpcId} can't listen on ${hostAddress} port ${resolverPort}: ${error.message}`,
      );
    };
    const udp = createSocket('udp4');
    udp.on('error', complain);
    udp.on('message', async (packet, from) => {
      const said = await answer(packet, 'udp');
      if (said && !stopped) udp.send(said, from.port, from.address, () => undefined);
    });
    udp.bind(resolverPort, hostAddress);
    const tcp = createServer((socket) => {
      let received = Buffer.alloc(0);
      socket.setTimeout(tcpIdleMs, () => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('data', async (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
          const end = 2 + received.readUInt16BE(0);
          const packet = received.subarray(2, end);
          received = received.subarray(end);
          const said = await answer(packet, 'tcp');
          if (said && socket.writable) socket.write(framed(said));
        }
      });
    });
    tcp.maxConnections = 256;
    tcp.on('error', complain);
    tcp.listen(resolverPort, hostAddress);
    return { udp, tcp };
  };

  const close = ({ udp, tcp }: Post): void => {
    try {
      udp.close();
    } catch {
      // It never listened.
    }
    tcp.close();
  };

  return {
    async start() {
      stopped = false;
      networks.onHostLinks((links) => {
        if (stopped) return;
        const wanted = new Map(links.map((link) => [link.hostAddress, link]));
        for (const [address, post] of posts) {
          if (wanted.has(address)) continue;
          posts.delete(address);
          close(post);
        }
        for (const [address, link] of wanted) if (!posts.has(address)) posts.set(address, listen(link));
      });
    },
    apply(document) {
      records = recordsOf(document);
    },
    async stop() {
      stopped = true;
      for (const post of posts.values()) close(post);
      posts.clear();
    },
  };
}
