import type { Logger } from '../../base/log.ts';
import type { InterfaceDocument, NetworksDocument } from '../../protocol/documents.ts';
import type { NodeSettings } from '../settings.ts';
import { namesOf, namespacePath, resolverPort } from './addresses.ts';
import { openHostTable } from './host-table.ts';
import { attachScript, cutScript, detachScript, publicRoute } from './interface.ts';
import type { AttachedInterface, HostLink, Networks } from './networks.ts';
import { removeNetworks } from './removal.ts';
import { openRouters, type Router } from './routers.ts';
import { feed, openShell } from './shell.ts';
import { survey } from './survey.ts';

/** How long a namespace that something still holds may keep its link after detach. */
const cutAfterMs = 1_000;

interface Attached {
  readonly interfaceId: string;
  readonly vpcId: string;
  readonly privateAddress: string;
  /** The public address that the host has a route for; `undefined` also before the first document after a start. */
  publicAddress: string | undefined;
}

/** The networks of this machine by iproute2 and nftables; see README.md for what is made. Needs root. */
export function openNetworks(settings: NodeSettings, log: Logger): Networks {
  const names = namesOf(settings.instanceId);
  const shell = openShell(4);
  const routers = openRouters(settings.instanceId, names, shell);
  const hostTable = openHostTable(names, settings.publicPool, shell, log);
  const attached = new Map<string, Attached>();
  /** Interfaces of the document, with their VPC. */
  let described = new Map<string, { vpcId: string; document: InterfaceDocument }>();
  const waiters = new Set<() => void>();
  const listeners: ((links: readonly HostLink[]) => void)[] = [];
  /** The last change of each interface, so that attach and detach of one never overlap. */
  const changes = new Map<string, Promise<unknown>>();
  /** The last document's turn, and the one that is being applied now or was last. */
  let applying: Promise<void> = Promise.resolve();
  let current: Promise<void> = Promise.resolve();
  let waitingDocument: { document: NetworksDocument; done: Promise<void> } | undefined;

  const hostLinks = (): HostLink[] =>
    routers.all().map(({ link: { vpcId, hostAddress, routerAddress } }) => ({
      vpcId,
      hostAddress,
      routerAddress,
      resolverPort,
    }));
  const announceLinks = (): void => {
    for (const listener of listeners) listener(hostLinks());
  };

  const view = ({ interfaceId, privateAddress, publicAddress }: Attached): AttachedInterface => ({
    interfaceId,
    namespacePath: namespacePath(names.namespace(interfaceId)),
    privateAddress,
    ...(publicAddress ? { publicAddress } : {}),
  });

  const writeHostTable = (): Promise<void> => hostTable.write(routers.all().map(({ link }) => link));

  /** Routers of VPCs that the document lacks stay as long as something is attached to them. */
  const sweep = async (): Promise<void> => {
    const wanted = new Set(document?.vpcs.map((vpc) => vpc.vpcId));
    const used = new Set([...attached.values()].map(({ vpcId }) => vpcId));
    const gone = routers.all().filter(({ link: { vpcId } }) => !wanted.has(vpcId) && !used.has(vpcId));
    for (const router of gone) await routers.remove(router);
    if (gone.length > 0) {
      await writeHostTable();
      announceLinks();
    }
  };

  const syncPublicRoutes = async (): Promise<void> => {
    const lines: string[] = [];
    for (const one of attached.values()) {
      const link = routers.get(one.vpcId)?.link;
      const wanted = described.get(one.interfaceId)?.document.publicAddress;
      if (!link || !described.has(one.interfaceId) || wanted === one.publicAddress) continue;
      if (one.publicAddress) lines.push(`route del ${one.publicAddress}/32`);
      if (wanted) lines.push(publicRoute(wanted, link));
      one.publicAddress = wanted;
    }
    if (lines.length > 0) await shell.run('Routing public addresses', feed('ip -force -batch -', lines));
  };

  let document: NetworksDocument | undefined;
  const describe = (wanted: NetworksDocument, ready: (router: Router) => boolean): void => {
    described = new Map();
    for (const { vpcId, interfaces } of wanted.vpcs) {
      const router = routers.get(vpcId);
      if (!router || !ready(router)) continue;
      for (const one of interfaces) described.set(one.interfaceId, { vpcId, document: one });
    }
    for (const wake of waiters) wake();
  };

  const applyNow = async (wanted: NetworksDocument): Promise<void> => {
    document = wanted;
    const before = routers.all().length;
    const failures: string[] = [];
    const firstTime = !hostTable.written();
    // Namespaces are made while the rules are written; `attach` answers when both are there.
    describe(wanted, (router) => router.vpc !== undefined);
    await Promise.all(
      wanted.vpcs.map(async (vpc) => {
        try {
          await routers.apply(vpc);
        } catch (error) {
          failures.push((error as Error).message);
        }
      }),
    );
    if (firstTime || routers.all().length !== before) {
      await writeHostTable();
      announceLinks();
    }
    describe(wanted, (router) => router.ruleset !== undefined);
    await syncPublicRoutes();
    await sweep();
    if (failures.length > 0) throw new Error(failures.join(' '));
  };

  const inTurn = <Answer>(interfaceId: string, run: () => Promise<Answer>): Promise<Answer> => {
    const turn = (changes.get(interfaceId) ?? Promise.resolve()).then(run, run);
    const settled = turn
      .catch(() => undefined)
      .then(() => {
        if (changes.get(interfaceId) === settled) changes.delete(interfaceId);
      });
    changes.set(interfaceId, settled);
    return turn;
  };

  const describedBy = (interfaceId: string, timeoutMs: number): Promise<boolean> =>
    new Promise((resolve) => {
      const finish = (found: boolean): void => {
        clearTimeout(timer);
        waiters.delete(wake);
        resolve(found);
      };
      const wake = (): void => {
        if (described.has(interfaceId)) finish(true);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      waiters.add(wake);
    });

  const make = async (interfaceId: string): Promise<Attached> => {
    const { vpcId, document: one } = described.get(interfaceId) ?? {};
    const link = vpcId === undefined ? undefined : routers.get(vpcId)?.link;
    if (!one || !link || vpcId === undefined) throw new Error(`network interface ${interfaceId} is gone`);
    const what = `Making network interface ${interfaceId}`;
    const script = attachScript(names, one, link);
    try {
      await shell.run(what, script);
    } catch (error) {
      // Most likely the kernel is still taking apart what was detached a moment ago.
      log.warn({ interfaceId }, `${(error as Error).message} Trying once more.`);
      const clean = `${detachScript(names, interfaceId, undefined)}\n${cutScript(names, vpcId, interfaceId)}`;
      await shell.run(what, `${clean}\n${script}`);
    }
    return { interfaceId, vpcId, privateAddress: one.privateAddress, publicAddress: one.publicAddress };
  };

  return {
    async start() {
      const found = await survey(names, shell);
      for (const link of found.links) routers.takeUp(link);
      for (const one of found.interfaces) attached.set(one.interfaceId, { ...one, publicAddress: undefined });
      for (const interfaceId of found.halves) {
        await shell.run(
          `Removing the unfinished interface ${interfaceId}`,
          detachScript(names, interfaceId, undefined),
        );
      }
      if (found.links.length > 0) announceLinks();
      log.info({ vpcs: found.links.length, interfaces: attached.size }, 'Networks taken up');
    },

    apply(wanted) {
      if (waitingDocument) {
        // A document that waits is made pointless by a newer one.
        waitingDocument.document = wanted;
        return waitingDocument.done;
      }
      const entry = { document: wanted, done: Promise.resolve() };
      waitingDocument = entry;
      const run = (): Promise<void> => {
        waitingDocument = undefined;
        const done = applyNow(entry.document);
        current = done.catch(() => undefined);
        return done;
      };
      entry.done = applying.then(run, run);
      applying = entry.done.catch(() => undefined);
      return entry.done;
    },

    async attach(interfaceId, timeoutMs) {
      const inDocument = described.has(interfaceId) || (await describedBy(interfaceId, timeoutMs));
      return inTurn(interfaceId, async () => {
        const known = attached.get(interfaceId);
        if (known) return view(known);
        if (!inDocument) {
          throw new Error(
            `ContainerNetworkingError: network interface ${interfaceId} was not described to this machine within ${timeoutMs} ms`,
          );
        }
        try {
          const rules = current;
          const one = await make(interfaceId);
          await rules;
          attached.set(interfaceId, one);
          return view(one);
        } catch (error) {
          throw new Error(`ContainerNetworkingError: ${(error as Error).message}`);
        }
      });
    },

    detach(interfaceId) {
      return inTurn(interfaceId, async () => {
        const known = attached.get(interfaceId);
        await shell.run(
          `Removing network interface ${interfaceId}`,
          detachScript(names, interfaceId, known?.publicAddress),
        );
        attached.delete(interfaceId);
        if (!known) return;
        setTimeout(() => {
          if (attached.has(interfaceId) || changes.has(interfaceId) || !routers.get(known.vpcId)) return;
          shell.run(`Cutting ${interfaceId}`, cutScript(names, known.vpcId, interfaceId)).catch(() => undefined);
        }, cutAfterMs).unref();
        if (document && !document.vpcs.some(({ vpcId }) => vpcId === known.vpcId)) await sweep();
      });
    },

    async attached() {
      return [...attached.values()].map(view);
    },

    onHostLinks(listener) {
      listeners.push(listener);
      listener(hostLinks());
    },

    async stop() {
      hostTable.stop();
      await applying;
      await shell.close();
    },

    async destroy() {
      hostTable.stop();
      await applying;
      await removeNetworks(settings.instanceId, names, shell);
      routers.clear();
      attached.clear();
      described.clear();
      await shell.close();
    },
  };
}
