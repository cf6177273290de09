import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type {
  LoadBalancerDocument,
  TargetDocument,
  TargetGroupDocument,
  TargetObservation,
} from '../protocol/documents.ts';
import { runCheck } from './health/check.ts';
import { admitted, firstHealth } from './health/health.ts';
import { type Watch, watchTarget } from './health/watch.ts';
import { deregistrationDelaySeconds, type Server } from './render/config.ts';
import { serverName } from './render/names.ts';

export interface Target {
  readonly key: string;
  readonly group: TargetGroupDocument;
  readonly document: TargetDocument;
  /** Its server's in HAProxy. */
  readonly name: string;
  readonly watch: Watch | undefined;
  /** When draining is over at the latest; absent unless draining. */
  readonly drainUntil?: number;
  readonly drained: boolean;
}

/** The targets of one load balancer: each is checked, or drains. */
export interface Targets {
  /** Follows the document. `known`: what a HAProxy that was taken up says of a target that is new here. */
  follow(document: LoadBalancerDocument, known: (groupArn: string, server: string) => 'healthy' | undefined): void;
  all(): readonly Target[];
  draining(): readonly Target[];
  /** The servers that stand for a group's targets. */
  servers(group: TargetGroupDocument): Server[];
  /** Nothing of a draining target is left. */
  setDrained(target: Target): void;
  observations(): TargetObservation[];
  /** Ends the checks. */
  end(): void;
}

/** `checkSocket`: where HAProxy takes health checks. `onChange`: the health of one changed. */
export function openTargets(
  checkSocket: string,
  { log, clock, onChange }: { readonly log: Logger; readonly clock: Clock; onChange(): void },
): Targets {
  let targets = new Map<string, Target>();

  const nameOf = (key: string, { id, port }: TargetDocument): string | undefined => {
    try {
      return serverName(id, port);
    } catch (problem) {
      log.warn({ target: key }, (problem as Error).message);
      return undefined;
    }
  };

  const watchOf = (
    group: TargetGroupDocument,
    document: TargetDocument,
    old: Target | undefined,
    known: () => 'healthy' | undefined,
  ): Watch => {
    let watch = old?.watch;
    if (watch && (watch.health().state === 'unavailable') === group.healthCheck.enabled) {
      watch.end();
      watch = undefined;
    }
    watch?.change(group.healthCheck);
    return (
      watch ??
      watchTarget(
        firstHealth(group.healthCheck, old ? undefined : (document.knownState ?? known())),
        group.healthCheck,
        (how) => runCheck(checkSocket, document, how),
        clock,
        onChange,
      )
    );
  };

  return {
    follow(document, known) {
      const next = new Map<string, Target>();
      for (const group of document.targetGroups) {
        for (const one of group.targets) {
          const key = `${group.arn} ${one.id}:${one.port}`;
          const old = targets.get(key);
          const name = nameOf(key, one);
          if (name === undefined) continue;
          const target = { key, group, document: one, name };
          if (one.draining) {
            old?.watch?.end();
            const drainUntil = old?.drainUntil ?? clock.now() + deregistrationDelaySeconds(group) * 1000;
            next.set(key, { ...target, watch: undefined, drainUntil, drained: old?.drained ?? false });
          } else {
            const watch = watchOf(group, one, old, () => known(group.arn, name));
            next.set(key, { ...target, watch, drained: false });
          }
        }
      }
      for (const [key, { watch }] of targets) if (next.get(key)?.watch !== watch) watch?.end();
      targets = next;
    },

    all: () => [...targets.values()],
    draining: () => [...targets.values()].filter(({ drainUntil, drained }) => drainUntil !== undefined && !drained),

    servers(group) {
      const live = [...targets.values()]
        .filter((one) => one.group.arn === group.arn && one.watch)
        .map((one) => ({ ...one, health: one.watch?.health() ?? firstHealth(group.healthCheck, undefined) }));
      const served = admitted(live);
      return live.map((one) => ({
        name: one.name,
        address: one.document.id,
        port: one.document.port,
        ready: served.has(one),
      }));
    },

    setDrained(target) {
      targets.set(target.key, { ...target, drained: true });
    },

    observations: () => [...targets.values()].map(observe),

    end() {
      for (const { watch } of targets.values()) watch?.end();
    },
  };
}

function observe({ group, document, watch, drained }: Target): TargetObservation {
  const base = { targetGroupArn: group.arn, id: document.id, port: document.port };
  if (drained) return { ...base, state: 'drained' };
  if (!watch) {
    return {
      ...base,
      state: 'draining',
      reason: 'Target.DeregistrationInProgress',
      description: 'Target deregistration is in progress',
    };
  }
  const { state, reason, description } = watch.health();
  return { ...base, state, ...(reason ? { reason } : {}), ...(description ? { description } : {}) };
}
