import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Store } from '../../state/store.ts';
import type { Caller } from '../../wire/service.ts';
import type { EcrTables } from './tables.ts';

/** ECR's authorization tokens are good for 12 hours (API reference, GetAuthorizationToken). */
export const tokenMilliseconds = 12 * 3_600_000;
/** How long a layer's download URL works. */
const urlMilliseconds = 3_600_000;

interface Claims {
  readonly expiresAt: number;
  readonly caller: Caller;
}

/** More passwords than this at once and they are checked anew. */
const mostKnown = 1000;

export type Verdict =
  | { readonly caller: Caller }
  /** Signed by us, but too old; or never signed by us. */
  | { readonly refused: 'expired' | 'invalid' };

/** Signs what the registry gives out and knows it again. The key is made once and kept in the database. */
export interface Signer {
  /** A password for Basic authentication that says who was given it; good for 12 hours, at most until `endsAt`. */
  password(caller: Caller, now: number, endsAt?: number): { readonly password: string; readonly expiresAt: number };
  verify(password: string, now: number): Verdict;
  /** The query of a URL that lets anyone download one blob. */
  downloadQuery(repository: string, digest: string, now: number): string;
  verifyDownload(repository: string, digest: string, query: URLSearchParams, now: number): boolean;
}

/** Makes the key where there is none yet. */
export async function openSigner(store: Store<EcrTables>): Promise<Signer> {
  const key = await store.transaction(async (tx) => {
    const found = await tx.db.selectFrom('ecr_secret').select('value').where('name', '=', 'token').executeTakeFirst();
    if (found) return found.value;
    const value = randomBytes(32).toString('hex');
    await tx.db.insertInto('ecr_secret').values({ name: 'token', value }).execute();
    return value;
  });
  return signer(Buffer.from(key, 'hex'));
}

/** A signer with a given key. */
export function signer(key: Uint8Array): Signer {
  const seal = (purpose: string, text: string) =>
    createHmac('sha256', key).update(`${purpose}\n${text}`).digest('base64url');
  const isSealed = (purpose: string, text: string, given: string) => {
    const right = Buffer.from(seal(purpose, text));
    const claimed = Buffer.from(given);
    return right.length === claimed.length && timingSafeEqual(right, claimed);
  };
  /** Passwords whose seal was right: a client sends the same with every request. */
  const known = new Map<string, Claims>();
  const downloadText = (repository: string, digest: string, expires: string) => `${repository}\n${digest}\n${expires}`;

  return {
    password(caller, now, endsAt = Number.POSITIVE_INFINITY) {
      const expiresAt = Math.min(now + tokenMilliseconds, endsAt);
      const claims = Buffer.from(JSON.stringify({ expiresAt, caller })).toString('base64url');
      return { password: `${claims}.${seal('password', claims)}`, expiresAt };
    },
    verify(password, now) {
      let claims = known.get(password);
      if (!claims) {
        const [text = '', seals = '', ...rest] = password.split('.');
        if (rest.length > 0 || !isSealed('password', text, seals)) return { refused: 'invalid' };
        claims = JSON.parse(Buffer.from(text, 'base64url').toString()) as Claims;
        if (known.size >= mostKnown) known.clear();
        known.set(password, claims);
      }
      return now < claims.expiresAt ? { caller: claims.caller } : { refused: 'expired' };
    },
    downloadQuery(repository, digest, now) {
      const expires = String(now + urlMilliseconds);
      const query = new URLSearchParams({
        expires,
        signature: seal('download', downloadText(repository, digest, expires)),
      });
      return query.toString();
    },
    verifyDownload(repository, digest, query, now) {
      const expires = query.get('expires') ?? '';
      const signature = query.get('signature') ?? '';
      return isSealed('download', downloadText(repository, digest, expires), signature) && now < Number(expires);
    },
  };
}
