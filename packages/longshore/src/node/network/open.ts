import { mkdir, open, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import type { Logger } from '../../base/log.ts';
import type { InterfaceDocument, NetworksDocument, VpcDocument } from '../../protocol/documents.ts';
import type { NodeSettings } from '../settings.ts';
import { firstLink, linkAddresses, linkCount, namesOf, namespacePath, resolverPort } from './addresses.ts';
import { forwardScript, hostRemoval, hostRuleset } from './host.ts';
import { attachScript, cutScript, detachScript, publicRoute } from './interface.ts';
import type { AttachedInterface, HostLink, Networks } from './networks.ts';
import { type Link, nftInRouter, routerRemoval, routerScript } from './router.ts';
import { difference, type Ruleset, whole } from './ruleset.ts';
import { routerRuleset, routerTable } from './security.ts';
import { feed, openShell } from './shell.ts';
import { hostAddresses, namespaces, survey, tableNames } from './survey.ts';

const claims = '/run/longshore/links';
const forwardCheckMs = 15_000;
/** How long a namespace that something still holds may keep its link after detach. */
const cutAfterMs = 1_000;

interface Router {
  readonly link: Link;
  /** What its table says; absent until it was written by this process. */
  ruleset: Ruleset | undefined;
  /** The document that was applied last. */
  vpc: VpcDocument | undefined;
}

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
  const routers = new Map<string, Router>();
  const attached = new Map<string, Attached>();
  /** Interfaces of the document, with their VPC. */
  let described = new Map<string, { vpcId: string; document: InterfaceDocument }>();
  const waiters = new Set<() => void>();
  const listeners: ((links: readonly HostLink[]) => void)[] = [];
  /** The last change of each interface, so that attach and detach of one never overlap. */
  const changes = new Map<string, Promise<unknown>>();
  let hostTable: Ruleset | undefined;
  /** The last document's turn, and the one that is being applied now or was last. */
  let applying: Promise<void> = Promise.resolve();
  let current: Promise<void> = Promise.resolve();
  let waitingDocument: { document: NetworksDocument; done: Promise<void> } | undefined;
  let forwardTimer: NodeJS.Timeout | undefined;

  const hostLinks = (): HostLink[] =>
    [...routers.values()].map(({ link: { vpcId, hostAddress, routerAddress } }) => ({
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

  const writeHostTable = async (): Promise<void> => {
    const wanted = hostRuleset(
      names,
      settings.publicPool,
      [...routers.values()].map(({ link }) => link),
    );
    const transaction = hostTable
      ? difference(hostTable, wanted)
      : whole(wanted, await tableNames(shell, '', names.hostTable));
    hostTable = undefined;
    if (transaction)
      await shell.run("Writing the host's address translation", feed('nft -f -', [transaction.trimEnd()]));
    hostTable = wanted;
    await shell.run('Letting forwarded packets pass', forwardScript(names));
    forwardTimer ??= setInterval(() => {
      shell
        .run('Letting forwarded packets pass', forwardScript(names))
        .catch((error: Error) => log.warn({}, error.message));
    }, forwardCheckMs).unref();
  };

  /** Claims a range for a link by a file of its name, so that Longshores which start at the same moment take different ones. */
  const claimLink = async (vpcId: string): Promise<{ hostAddress: string; routerAddress: string }> => {
    await mkdir(claims, { recursive: true });
    const used = new Set((await hostAddresses(shell)).flatMap((one) => one.addr_info.map(({ local }) => local)));
    const owner = `${settings.instanceId} ${vpcId}`;
    for (let tries = 0; tries < linkCount; tries += 1) {
      const addresses = linkAddresses((firstLink(settings.instanceId, vpcId) + tries) % linkCount);
      if (used.has(addresses.hostAddress)) continue;
      const file = `${claims}/${addresses.hostAddress}`;
      const handle = await open(file, 'wx').catch(() => undefined);
      if (handle) {
        await handle.writeFile(owner);
        await handle.close();
        return addresses;
      }
      if ((await readFile(file, 'utf8').catch(() => '')) === owner) return addresses;
    }
    throw new Error('No free range is left in 169.254.176.0 to 169.254.249.255 for the link of a VPC.');
  };
  const releaseLink = (link: Link): Promise<void> => rm(`${claims}/${link.hostAddress}`, { force: true });

  const ensureRouter = async (vpc: VpcDocument): Promise<Router> => {
    const known = routers.get(vpc.vpcId);
    if (known?.vpc && known.vpc.cidrBlocks.join() === vpc.cidrBlocks.join()) return known;
    const link = known?.link ?? {
      vpcId: vpc.vpcId,
      device: names.hostDevice(vpc.vpcId),
      ...(await claimLink(vpc.vpcId)),
    };
    await shell.run(`Making the router of ${vpc.vpcId}`, routerScript(names, vpc, link));
    const router: Router = known ?? { link, ruleset: undefined, vpc: undefined };
    routers.set(vpc.vpcId, router);
    return router;
  };

  const writeRules = async (router: Router, vpc: VpcDocument): Promise<void> => {
    const wanted = routerRuleset(vpc, router.link.hostAddress);
    const enter = `nsenter --net=${namespacePath(names.router(vpc.vpcId))}`;
    const transaction = router.ruleset
      ? difference(router.ruleset, wanted)
      : whole(wanted, await tableNames(shell, enter, routerTable));
    // Unknown until the transaction is through: where it fails, the next one says the whole table.
    router.ruleset = undefined;
    if (transaction) await shell.run(`Writing the rules of ${vpc.vpcId}`, nftInRouter(names, vpc.vpcId, transaction));
    router.ruleset = wanted;
    router.vpc = vpc;
  };

  const removeRouter = async (router: Router): Promise<void> => {
    routers.delete(router.link.vpcId);
    await shell.run(`Removing the router of ${router.link.vpcId}`, routerRemoval(names, router.link));
    await releaseLink(router.link);
  };

  /** Routers of VPCs that the document lacks stay as long as something is attached to them. */
  const sweep = async (): Promise<void> => {
    const wanted = new Set(document?.vpcs.map((vpc) => vpc.vpcId));
    const used = new Set([...attached.values()].map(({ vpcId }) => vpcId));
    const gone = [...routers.values()].filter(({ link: { vpcId } }) => !wanted.has(vpcId) && !used.has(vpcId));
    for (const router of gone) await removeRouter(router);
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
    const before = routers.size;
    const failures: string[] = [];
    const firstTime = !hostTable;
    // Namespaces are made while the rules are written; `attach` answers when both are there.
    describe(wanted, (router) => router.vpc !== undefined);
    await Promise.all(
      wanted.vpcs.map(async (vpc) => {
        try {
          await writeRules(await ensureRouter(vpc), vpc);
        } catch (error) {
          failures.push((error as Error).message);
        }
      }),
    );
    if (firstTime || routers.size !== before) {
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
      for (const link of found.links) routers.set(link.vpcId, { link, ruleset: undefined, vpc: undefined });
      for (const one of found.interfaces) attached.set(one.interfaceId, { ...one, publicAddress: undefined });
      for (const interfaceId of found.halves) {
        await shell.run(
          `Removing the unfinished interface ${interfaceId}`,
          detachScript(names, interfaceId, undefined),
        );
      }
      if (routers.size > 0) announceLinks();
      log.info({ vpcs: routers.size, interfaces: attached.size }, 'Networks taken up');
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
          if (attached.has(interfaceId) || changes.has(interfaceId) || !routers.has(known.vpcId)) return;
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
      clearInterval(forwardTimer);
      forwardTimer = undefined;
      await applying;
      await shell.close();
    },

    async destroy() {
      clearInterval(forwardTimer);
      forwardTimer = undefined;
      await applying;
      const found = await survey(names, shell).catch(() => undefined);
      const present = await namespaces(names);
      const devices = (await hostAddresses(shell)).map(({ ifname }) => ifname);
      const script = [
        ...present
          .filter((name) => !name.startsWith('vpc-'))
          .map((name) => `ip netns del ${names.namespace(name)} || true`),
        ...devices
          .filter((name) => name.startsWith(`${names.devicePrefix}v`))
          .map((name) => `ip link del ${name} || true`),
        ...present
          .filter((name) => name.startsWith('vpc-'))
          .map((name) => `ip netns del ${names.router(name)} || true`),
        hostRemoval(names),
      ].join('\n');
      await shell.run('Removing all networks', script);
      for (const link of found?.links ?? []) await releaseLink(link);
      for (const file of await readdir(claims).catch(() => [] as string[])) {
        const owner = await readFile(`${claims}/${file}`, 'utf8').catch(() => '');
        if (owner.startsWith(`${settings.instanceId} `)) await rm(`${claims}/${file}`, { force: true });
      }
      // Only where nothing of another Longshore's is in them.
      for (const folder of [claims, '/run/longshore']) await rmdir(folder).catch(() => undefined);
      routers.clear();
      attached.clear();
      described.clear();
      hostTable = undefined;
      await shell.close();
    },
  };
}
