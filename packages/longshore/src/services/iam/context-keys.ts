import type { Access, Caller, RequestFacts } from '../../wire/service.ts';
import type { ContextValues } from './policy/condition.ts';

/** What condition keys are filled from. */
export interface ContextSources {
  readonly caller: Caller;
  readonly access: Access;
  readonly facts: RequestFacts;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** When the caller's temporary credentials were made. */
  readonly issuedAt?: number | undefined;
}

const principalTypes = { root: 'Account', user: 'User', 'assumed-role': 'AssumedRole', anonymous: 'Anonymous' };

/**
 * The global condition keys of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html that a
 * request here has, and the ones that the operation adds. Nothing is computed until a policy asks.
 */
export function contextValues({ caller, access, facts, now, issuedAt }: ContextSources): ContextValues {
  let own: ReadonlyMap<string, readonly string[]> | undefined;
  const global: Readonly<Record<string, () => string | undefined>> = {
    'aws:username': () => (caller.type === 'user' ? caller.arn.slice(caller.arn.lastIndexOf('/') + 1) : undefined),
    'aws:userid': () => caller.userId,
    'aws:principalarn': () => caller.roleArn ?? caller.arn,
    'aws:principalaccount': () => caller.accountId,
    'aws:principaltype': () => principalTypes[caller.type],
    'aws:principalisawsservice': () => 'false',
    'aws:viaawsservice': () => 'false',
    'aws:sourceip': () => facts.sourceIp,
    'aws:securetransport': () => String(facts.secureTransport),
    'aws:useragent': () => facts.userAgent,
    'aws:requestedregion': () => facts.region,
    'aws:currenttime': () => new Date(now).toISOString(),
    'aws:epochtime': () => String(Math.floor(now / 1000)),
    'aws:resourceaccount': () => access.resource.split(':')[4] || caller.accountId,
    'aws:tokenissuetime': () => (issuedAt === undefined ? undefined : new Date(issuedAt).toISOString()),
    'aws:multifactorauthpresent': () => (issuedAt === undefined ? undefined : 'false'),
  };
  return (key) => {
    const value = Object.hasOwn(global, key) ? global[key]!() : undefined;
    if (value !== undefined) return [value];
    const tag = /^aws:principaltag\/(.*)$/.exec(key)?.[1];
    if (tag !== undefined) {
      const found = Object.entries(caller.principalTags ?? {}).find(([name]) => name.toLowerCase() === tag);
      return found && [found[1]];
    }
    own ??= new Map(
      Object.entries(access.context ?? {}).map(([name, given]) => [
        name.toLowerCase(),
        typeof given === 'string' ? [given] : given,
      ]),
    );
    return own.get(key);
  };
}
