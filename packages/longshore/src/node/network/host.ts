import { ipv4, type Names } from './addresses.ts';
import type { Link } from './router.ts';
import type { Ruleset } from './ruleset.ts';

/** The host's table: what comes from public addresses and routers goes to the outside under the host's own address. */
export function hostRuleset(names: Names, publicPool: string, links: readonly Link[]): Ruleset {
  const ours = [ipv4(publicPool), ...links.map((link) => `${link.routerAddress}/32`)];
  return {
    table: names.hostTable,
    sets: new Map(),
    chains: new Map([
      [
        'to-outside',
        {
          base: 'type nat hook postrouting priority srcnat; policy accept',
          // Between Longshores public addresses stay as they are, as they do at AWS.
          rules: ours.map((range) => `ip saddr ${range} oifname != { "ls*", "lo" } masquerade`),
        },
      ],
    ]),
  };
}

/**
 * Accepts what passes to and from our links where another program drops forwarded packets by default, as Docker does
 * (`iptables -P FORWARD DROP`): in DOCKER-USER, which Docker leaves to others, or at the head of FORWARD. An nftables chain of
 * our own could not: a drop elsewhere is final.
 */
export function forwardScript({ devicePrefix, hostTable }: Names): string {
  const note = `-m comment --comment ${hostTable}`;
  return [
    'command -v iptables >/dev/null || exit 0',
    'rules=$(iptables -w 5 -S 2>/dev/null) || exit 0',
    'case "$rules" in *"-P FORWARD DROP"*|*"-N DOCKER-USER"*) ;; *) exit 0;; esac',
    'chain=FORWARD; case "$rules" in *"-N DOCKER-USER"*) chain=DOCKER-USER;; esac',
    `for way in -i -o; do iptables -w 5 -C $chain $way ${devicePrefix}+ ${note} -j ACCEPT 2>/dev/null || ` +
      `iptables -w 5 -I $chain $way ${devicePrefix}+ ${note} -j ACCEPT; done`,
  ].join('\n');
}

/** Takes back what `forwardScript` and the host's table put there. */
export function hostRemoval({ devicePrefix, hostTable }: Names): string {
  const note = `-m comment --comment ${hostTable}`;
  return [
    `nft delete table ip ${hostTable} 2>/dev/null || true`,
    'command -v iptables >/dev/null || exit 0',
    'for chain in FORWARD DOCKER-USER; do for way in -i -o; do',
    `while iptables -w 5 -D $chain $way ${devicePrefix}+ ${note} -j ACCEPT 2>/dev/null; do :; done`,
    'done; done',
  ].join('\n');
}
