import type { SessionCredentials } from './contract.ts';
import { newAccessKey, newSessionToken } from './ids.ts';
import type { IamState } from './state.ts';
import type { SessionRow } from './tables.ts';

export type NewSession = Pick<SessionRow, 'principal_id' | 'session_name' | 'policies' | 'tags' | 'source_identity'>;
export type Temporary = Omit<SessionCredentials, 'roleArn'>;

/** Keeps temporary credentials for `durationSeconds`. */
export type OpenSession = (session: NewSession, durationSeconds: number) => Promise<Temporary>;

interface Waiting {
  readonly row: SessionRow;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sessions that are asked for while others are being written go into the store together: a service that starts fifty tasks
 * asks for a hundred, and a commit costs milliseconds.
 */
export function sessionWriter(state: IamState): OpenSession {
  let waiting: Waiting[] = [];
  let writing = false;

  const writeAll = async () => {
    writing = true;
    // Let those who ask in the same turn come aboard.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await state.store.transaction(async ({ db }) => {
          for (const { row } of batch) await db.insertInto('iam_session').values(row).execute();
        });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    writing = false;
  };

  return async (session, durationSeconds) => {
    const key = newAccessKey(state.random, 'ASIA');
    const sessionToken = newSessionToken(state.random);
    const now = state.clock.now();
    const expiresAt = now + durationSeconds * 1000;
    const row: SessionRow = {
      ...session,
      access_key_id: key.accessKeyId,
      secret: key.secretAccessKey,
      token: sessionToken,
      created_at: now,
      expires_at: expiresAt,
    };
    await new Promise<void>((resolve, reject) => {
      waiting.push({ row, resolve, reject });
      if (!writing) void writeAll();
    });
    return { ...key, sessionToken, expiresAt };
  };
}
