import type { Access, Caller, Gatekeeper, RequestFacts } from '../../wire/service.ts';
import { contextValues } from './context-keys.ts';
import { type Holder, loadHolder } from './credentials.ts';
import { fault } from './faults.ts';
import type { Identities } from './identities.ts';
import { findPrincipal, findRoleByArn, principalArn } from './lookups.ts';
import { type Decision, decide, type PolicyKind, type PolicySet, refusal } from './policy/decision.ts';
import { createResourcePolicies } from './resource-policies.ts';
import type { IamState } from './state.ts';

type NamedAccess = Access & { readonly action: string };

export interface IamGatekeeper extends Gatekeeper {
  /** What `authorize` would say, where the silence of the `excused` kinds of policies does not refuse. */
  decision(
    caller: Caller,
    access: NamedAccess,
    facts: RequestFacts,
    excused?: readonly PolicyKind[],
  ): Promise<Decision>;
  /** Forgets what was read of the store, after it changed. */
  forget(): void;
  /** When and for what each long-term key was used since the last call. */
  takeUses(): ReadonlyMap<string, KeyUse>;
}

export interface KeyUse {
  readonly at: number;
  readonly service: string;
  readonly region: string;
}

/** More identities than this at once and the cache starts anew, so that it stays small. */
const cacheSize = 20_000;
const noPolicies: PolicySet = { identity: [] };

/** `enforce` false: everyone may do everything. */
export function createGatekeeper(state: IamState, identities: Identities, enforce: boolean): IamGatekeeper {
  const holders = new Map<string, Holder>();
  const resourcePolicies = createResourcePolicies();
  const byArn = new Map<string, PolicySet>();
  let uses = new Map<string, KeyUse>();
  // A read that began before a change must not be kept after it.
  let generation = 0;

  const remember = async <T>(
    cache: Map<string, T>,
    key: string,
    load: () => Promise<T | undefined>,
  ): Promise<T | undefined> => {
    const known = cache.get(key);
    if (known !== undefined) return known;
    const began = generation;
    const loaded = await load();
    if (loaded !== undefined && began === generation) {
      if (cache.size >= cacheSize) cache.clear();
      cache.set(key, loaded);
    }
    return loaded;
  };
  const holderOf = (accessKeyId: string) =>
    holders.get(accessKeyId) ?? remember(holders, accessKeyId, () => loadHolder(state, identities, accessKeyId));

  /** For callers who come without a key, e.g. by a registry token. */
  const policiesByArn = async (caller: Caller): Promise<PolicySet> => {
    const found = await remember(byArn, caller.roleArn ?? caller.arn, async () => {
      const principal = caller.roleArn
        ? await findRoleByArn(state, caller.roleArn)
        : await findPrincipal(state.db, 'user', caller.arn.slice(caller.arn.lastIndexOf('/') + 1));
      if (!principal || principalArn(state, principal) !== (caller.roleArn ?? caller.arn)) return undefined;
      return identities.policiesOf(principal);
    });
    return found ?? noPolicies;
  };

  const decision: IamGatekeeper['decision'] = async (caller, access, facts, excused) => {
    if (!enforce) return { allowed: true };
    const now = state.clock.now();
    if (caller.type === 'root') return resourceDenial(caller, access, facts, now) ?? { allowed: true };
    const key = caller.accessKeyId;
    const held = key === undefined ? undefined : holderOf(key);
    const holder = held instanceof Promise ? await held : held;
    if (key?.startsWith('AKIA')) {
      uses.set(key, { at: now, service: access.action.split(':')[0] ?? '', region: facts.region });
    }
    let policies: Holder['policies'];
    // A registry token may outlive the session that it was made for.
    if (holder && (holder.credential.expiresAt ?? now) < now) policies = noPolicies;
    else if (holder && holder.credential.caller.arn === caller.arn) policies = holder.policies;
    else if (caller.type === 'anonymous' || (key !== undefined && caller.type === 'assumed-role'))
      policies = noPolicies;
    else policies = await policiesByArn(caller);
    if (policies === 'everything') return resourceDenial(caller, access, facts, now) ?? { allowed: true };
    const context = contextValues({ caller, access, facts, now, issuedAt: holder?.issuedAt });
    const carried = resourcePolicies.ask(caller, access, context);
    const refused = { allowed: false, kind: 'resource-based policy' } as const;
    if (carried.said === 'deny') return { ...refused, explicit: true };
    // Of another account's things one's own policies can't give more than their policy does.
    const owner = access.resource.split(':')[4] || caller.accountId;
    const foreign = owner !== caller.accountId;
    if (access.resourcePolicies && foreign && carried.said === 'silent') return { ...refused, explicit: false };
    // What the whole session may at most counts also where the thing itself grants: a session that ended holds nothing.
    const excuses = foreign || policies === noPolicies ? excused : [...(excused ?? []), ...carried.excused];
    return decide(policies, { action: access.action, resource: access.resource, context }, excuses);
  };

  /** Even who may everything is bound by what a resource's policy denies. */
  const resourceDenial = (caller: Caller, access: NamedAccess, facts: RequestFacts, now: number) => {
    if (!access.resourcePolicies?.length) return undefined;
    const { said } = resourcePolicies.ask(caller, access, contextValues({ caller, access, facts, now }));
    return said === 'deny' ? ({ allowed: false, explicit: true, kind: 'resource-based policy' } as const) : undefined;
  };

  return {
    decision,
    async credential(accessKeyId) {
      const held = holderOf(accessKeyId);
      return (held instanceof Promise ? await held : held)?.credential;
    },
    async authorize(caller, access, facts) {
      const decided = await decision(caller, access, facts);
      if (decided.allowed) return;
      throw fault('AccessDeniedException', refusal(caller.arn, access.action, access.resource, decided));
    },
    forget() {
      generation++;
      holders.clear();
      byArn.clear();
    },
    takeUses() {
      const taken = uses;
      uses = new Map();
      return taken;
    },
  };
}
