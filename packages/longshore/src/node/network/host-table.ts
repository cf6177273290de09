import type { Logger } from '../../base/log.ts';
import type { Names } from './addresses.ts';
import { forwardScript, hostRuleset } from './host.ts';
import type { Link } from './router.ts';
import { difference, type Ruleset, whole } from './ruleset.ts';
import { feed, type Shell } from './shell.ts';
import { tableNames } from './survey.ts';

const forwardCheckMs = 15_000;

/** The host's own nft table, and that the host lets forwarded packets pass. */
export interface HostTable {
  /** Whether this process wrote it. */
  written(): boolean;
  write(links: readonly Link[]): Promise<void>;
  /** Ends looking after forwarded packets. */
  stop(): void;
}

/** Writes nothing until `write`. */
export function openHostTable(names: Names, publicPool: string, shell: Shell, log: Logger): HostTable {
  /** What it says; absent until this process wrote it, and where writing failed. */
  let ruleset: Ruleset | undefined;
  let forwardTimer: NodeJS.Timeout | undefined;
  const letPass = () => shell.run('Letting forwarded packets pass', forwardScript(names));

  return {
    written: () => ruleset !== undefined,

    async write(links) {
      const wanted = hostRuleset(names, publicPool, links);
      const transaction = ruleset
        ? difference(ruleset, wanted)
        : whole(wanted, await tableNames(shell, '', names.hostTable));
      ruleset = undefined;
      if (transaction)
        await shell.run("Writing the host's address translation", feed('nft -f -', [transaction.trimEnd()]));
      ruleset = wanted;
      await letPass();
      forwardTimer ??= setInterval(() => {
        letPass().catch((error: Error) => log.warn({}, error.message));
      }, forwardCheckMs).unref();
    },

    stop() {
      clearInterval(forwardTimer);
      forwardTimer = undefined;
    },
  };
}
