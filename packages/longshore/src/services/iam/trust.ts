import type { ContextValues } from './policy/condition.ts';
import { parsePolicy } from './policy/grammar.ts';
import { compilePolicy, type Verdict } from './policy/policy.ts';
import type { Asker } from './policy/principal.ts';
import type { PrincipalRow } from './tables.ts';

/** What a role's trust policy says of `asker` doing `action` (`sts:AssumeRole`, `sts:TagSession` …). */
export function trustVerdict(
  role: PrincipalRow,
  asker: Asker,
  action: string,
  resource: string,
  context: Readonly<Record<string, string | readonly string[] | undefined>>,
): Verdict {
  const values = new Map(
    Object.entries(context).flatMap(([key, value]) =>
      value === undefined ? [] : [[key.toLowerCase(), typeof value === 'string' ? [value] : value] as const],
    ),
  );
  const lookup: ContextValues = (key) => values.get(key);
  return compilePolicy(parsePolicy(role.trust_policy ?? '{}', 'trust')).evaluate({
    action,
    resource,
    context: lookup,
    asker,
  });
}
