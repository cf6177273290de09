import type { VpcDocument } from '../../protocol/documents.ts';
import { type Names, namespacePath } from './addresses.ts';
import { claimLink, releaseLink } from './link-claims.ts';
import { type Link, nftInRouter, routerRemoval, routerScript } from './router.ts';
import { difference, type Ruleset, whole } from './ruleset.ts';
import { routerRuleset, routerTable } from './security.ts';
import type { Shell } from './shell.ts';
import { hostAddresses, tableNames } from './survey.ts';

export interface Router {
  readonly link: Link;
  /** What its table says; absent until it was written by this process. */
  ruleset: Ruleset | undefined;
  /** The document that was applied last. */
  vpc: VpcDocument | undefined;
}

/** The routers of this machine, one a VPC. */
export interface Routers {
  /** One that an earlier process made. */
  takeUp(link: Link): void;
  get(vpcId: string): Router | undefined;
  all(): readonly Router[];
  /** Makes the router where it lacks and writes its rules. Throws what the tools say. */
  apply(vpc: VpcDocument): Promise<void>;
  remove(router: Router): Promise<void>;
  /** Forgets them all, once they are gone. */
  clear(): void;
}

/** Knows no router until one is taken up or applied. */
export function openRouters(instanceId: string, names: Names, shell: Shell): Routers {
  const routers = new Map<string, Router>();

  const newLink = async (vpcId: string): Promise<Link> => {
    const used = new Set((await hostAddresses(shell)).flatMap((one) => one.addr_info.map(({ local }) => local)));
    return { vpcId, device: names.hostDevice(vpcId), ...(await claimLink(instanceId, vpcId, used)) };
  };

  const ensure = async (vpc: VpcDocument): Promise<Router> => {
    const known = routers.get(vpc.vpcId);
    if (known?.vpc && known.vpc.cidrBlocks.join() === vpc.cidrBlocks.join()) return known;
    const link = known?.link ?? (await newLink(vpc.vpcId));
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

  return {
    takeUp(link) {
      routers.set(link.vpcId, { link, ruleset: undefined, vpc: undefined });
    },
    get: (vpcId) => routers.get(vpcId),
    all: () => [...routers.values()],
    async apply(vpc) {
      await writeRules(await ensure(vpc), vpc);
    },
    async remove(router) {
      routers.delete(router.link.vpcId);
      await shell.run(`Removing the router of ${router.link.vpcId}`, routerRemoval(names, router.link));
      await releaseLink(router.link);
    },
    clear: () => routers.clear(),
  };
}
