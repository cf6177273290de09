import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Networks } from '../node/network/networks.ts';
import type { NodeSettings } from '../node/settings.ts';
import type { LoadBalancerObservation, LoadBalancersDocument } from '../protocol/documents.ts';
import type { Balancer } from './balancer.ts';
import { openFrontDoor } from './front-door/open.ts';
import { type LoadBalancer, openLoadBalancer } from './load-balancer.ts';
import { haproxyProcess } from './process.ts';
import { folderName } from './render/names.ts';

/** The load balancers of this machine by HAProxy, and the front door that leads to them by name; see README.md. Needs root. */
export function openBalancer(settings: NodeSettings, networks: Networks, log: Logger, clock: Clock): Balancer {
  if (!/^[0-9a-zA-Z]{1,8}$/.test(settings.instanceId)) throw new Error(`${settings.instanceId} can't name a folder.`);
  const root = `/run/longshore/${settings.instanceId}`;
  const loadBalancers = new Map<string, LoadBalancer>();
  const listeners: ((observations: readonly LoadBalancerObservation[]) => void)[] = [];
  const frontDoor = openFrontDoor(settings.instanceId, log, clock, () => announce());
  let user: string | undefined;
  let applying: Promise<void> = Promise.resolve();
  let announcing = false;

  const observations = (): LoadBalancerObservation[] =>
    [...loadBalancers.values()].map((one) => {
      const seen = one.observation();
      const problem = one.reached() && frontDoor.problem(one.reached()?.ports ?? []);
      // It still serves at its public address, so this is told without calling it failed.
      return problem && !seen.error ? { ...seen, error: problem } : seen;
    });

  const announce = (): void => {
    if (announcing) return;
    announcing = true;
    queueMicrotask(() => {
      announcing = false;
      const all = observations();
      for (const listener of listeners) listener(all);
    });
  };

  const folders = async (): Promise<string[]> => {
    const all = await readdir(root).catch(() => [] as string[]);
    return all.filter((name) => name.startsWith('lb-')).map((name) => `${root}/${name}`);
  };

  /** Ends a HAProxy whose load balancer nobody speaks of any more, and gives its interface back. */
  const endLeftOver = async (folder: string): Promise<void> => {
    const interfaceId = await readFile(`${folder}/interface`, 'utf8').catch(() => undefined);
    await haproxyProcess(folder).end();
    if (interfaceId) await networks.detach(interfaceId);
  };

  const applyNow = async (document: LoadBalancersDocument): Promise<void> => {
    const wanted = new Map(document.loadBalancers.map((one) => [one.arn, one]));
    const kept = new Set([...wanted.keys()].map((arn) => `${root}/${folderName(arn)}`));
    const gone = [...loadBalancers].filter(([arn]) => !wanted.has(arn));
    for (const [arn] of gone) loadBalancers.delete(arn);
    await Promise.all(
      [...wanted.values()].map(async (one) => {
        const folder = `${root}/${folderName(one.arn)}`;
        let loadBalancer = loadBalancers.get(one.arn);
        if (!loadBalancer) {
          await mkdir(folder, { recursive: true, mode: 0o700 });
          await writeFile(`${folder}/interface`, one.interfaceIds[0] ?? '');
          const parts = { folder, networks, log, clock, onChange: announce, ...(user ? { user } : {}) };
          loadBalancer = openLoadBalancer(one, parts);
          loadBalancers.set(one.arn, loadBalancer);
        }
        await loadBalancer.apply(one);
      }),
    );
    await frontDoor.lead([...loadBalancers.values()].flatMap((one) => one.reached() ?? []));
    await Promise.all(gone.map(([, one]) => one.end()));
    for (const folder of await folders()) if (!kept.has(folder)) await endLeftOver(folder);
    announce();
  };

  return {
    async start() {
      await mkdir(root, { recursive: true, mode: 0o755 });
      // Workers need no privilege once they listen.
      const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
      user = /^haproxy:/m.test(users) ? 'haproxy' : undefined;
      log.info({ found: (await folders()).length }, 'Load balancers taken up');
    },

    apply(document) {
      const run = (): Promise<void> => applyNow(document);
      const done = applying.then(run, run);
      applying = done.catch(() => undefined);
      return done;
    },

    onObservation(listener) {
      listeners.push(listener);
      listener(observations());
    },

    async stop() {
      await applying;
      await Promise.all([...loadBalancers.values()].map((one) => one.stop()));
      frontDoor.stop();
    },

    async destroy() {
      await applying;
      await Promise.all([...loadBalancers.values()].map((one) => one.stop()));
      loadBalancers.clear();
      await frontDoor.leave();
      for (const folder of await folders()) await endLeftOver(folder);
      // Only where nothing else is in them.
      await rmdir(root).catch(() => undefined);
      await rmdir('/run/longshore').catch(() => undefined);
    },
  };
}
