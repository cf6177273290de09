import type { Kysely } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Store, Tx } from '../../state/store.ts';
import type { ServiceParts } from '../contract.ts';
import type { IamTables } from './tables.ts';

/** Announced whenever an identity, a policy or a key changed; the key is what changed. */
export const identityTopic = 'iam.identity';

/** What every operation of IAM works with. */
export interface IamState {
  readonly db: Kysely<IamTables>;
  readonly store: Store<IamTables>;
  readonly clock: Clock;
  readonly random: Random;
  readonly accountId: string;
  /** `arn:aws:iam::ACCOUNT:` and `resource`, e.g. `user/bob`. */
  arn(resource: string): string;
  /** Runs `work` and, when it is kept, forgets what the gatekeeper had cached before the answer goes out. */
  write<T>(key: string, work: (tx: Tx<IamTables>) => Promise<T>): Promise<T>;
  /** `react` is called at once after each `write` of this process. */
  onWrite(react: () => void): void;
}

/** What every part of IAM works on. */
export function createState({ store, clock, random, settings }: ServiceParts<IamTables>): IamState {
  const reactions: (() => void)[] = [];
  return {
    db: store.db,
    store,
    clock,
    random,
    accountId: settings.accountId,
    arn: (resource) => `arn:aws:iam::${settings.accountId}:${resource}`,
    async write(key, work) {
      const result = await store.transaction(async (tx) => {
        const answer = await work(tx);
        tx.changed(identityTopic, key);
        return answer;
      });
      for (const react of reactions) react();
      return result;
    },
    onWrite: (react) => void reactions.push(react),
  };
}
