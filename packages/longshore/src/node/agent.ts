import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { type NodeParts, type RunningNode, runNode } from './node.ts';
import { HttpClient } from './session/http.ts';
import { machineResources } from './session/registration.ts';
import type { NodeSettings } from './settings.ts';

/**
 * Starts this machine's node. Resolves when what is on the machine has been taken up; it registers with the control plane and
 * opens its session in the background, and keeps at it (`registered` tells when).
 */
export async function startNode(
  settings: NodeSettings,
  log: Logger,
  clock: Clock,
  random: Random,
): Promise<RunningNode> {
  const http = new HttpClient();
  const common = { settings, http, resources: machineResources(), clock, random, log };
  return await runNode({ ...common, ...(await enginesOf(settings, http, clock, random, log)) });
}

/**
 * Removes everything that a node of these settings made on the machine: containers, networks, load balancers, containerd itself.
 * What it knows of its tasks stays, so that a later start reports them stopped; images stay unless `images` is true.
 */
export async function destroyNode(
  settings: NodeSettings,
  log: Logger,
  options: { readonly images?: boolean } = {},
): Promise<void> {
  const http = new HttpClient();
  const { runtime, balancer, networks } = await enginesOf(settings, http, systemClock, systemRandom, log);
  const problems: string[] = [];
  const attempt = async (what: string, work: () => Promise<void>) => {
    await work().catch((error) => problems.push(`${what}: ${(error as Error).message}`));
  };
  await attempt('containers', () => runtime.destroy(options.images ?? false));
  await attempt('load balancers', () => balancer.destroy());
  await attempt('networks', () => networks.destroy());
  await attempt('log files', () => rm(join(settings.stateDir, 'logs'), { recursive: true, force: true }));
  http.close();
  if (problems.length > 0) throw new Error(`not everything could be removed: ${problems.join('; ')}`);
}

type Engines = Pick<NodeParts, 'runtime' | 'networks' | 'balancer' | 'names'>;

/** The engines of the chosen runtime; those of the other are not even loaded. */
async function enginesOf(
  settings: NodeSettings,
  http: HttpClient,
  clock: Clock,
  random: Random,
  log: Logger,
): Promise<Engines> {
  if (settings.runtime === 'simulated') {
    const { SimulatedRuntime } = await import('./runtime/simulated/simulated-runtime.ts');
    const { SimulatedBalancer, SimulatedNetworks, simulatedNames } = await import(
      './runtime/simulated/simulated-networks.ts'
    );
    const networks = new SimulatedNetworks(clock);
    return {
      runtime: new SimulatedRuntime(clock),
      networks,
      balancer: new SimulatedBalancer(networks),
      names: simulatedNames,
    };
  }
  const { ContainerdRuntime } = await import('./runtime/containerd/containerd-runtime.ts');
  const { placesOf } = await import('./runtime/containerd/places.ts');
  const { openNetworks } = await import('./network/open.ts');
  const { openBalancer } = await import('../balancer/open.ts');
  const { openNames } = await import('../dns/open.ts');
  const networks = openNetworks(settings, log);
  return {
    runtime: new ContainerdRuntime({
      places: placesOf(settings),
      instanceId: settings.instanceId,
      http,
      clock,
      random,
      log,
    }),
    networks,
    balancer: openBalancer(settings, networks, log, clock),
    names: openNames(settings, networks, log),
  };
}
