import { longestPrefix } from '../templates.ts';

/** What of a pull-through cache rule says where images come from. */
export interface PullThroughRule {
  readonly prefix: string;
  readonly upstream_url: string;
  /** `ROOT`: the upstream's names start where ours go on after the prefix. */
  readonly upstream_prefix: string;
  readonly credential_arn: string | null;
}

/** The rule whose prefix covers a repository most closely. */
export function ruleFor<Rule extends PullThroughRule>(rules: readonly Rule[], repository: string): Rule | undefined {
  return rules.length === 0 ? undefined : longestPrefix(rules, repository);
}

/** What the upstream calls a repository that a rule covers. */
export function upstreamRepository({ prefix, upstream_prefix }: PullThroughRule, repository: string): string {
  const rest = prefix === 'ROOT' ? repository : repository.slice(prefix.replace(/\/$/, '').length + 1);
  return upstream_prefix === 'ROOT' ? rest : `${upstream_prefix.replace(/\/$/, '')}/${rest}`;
}
