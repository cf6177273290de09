import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fault } from '../faults.ts';
import type { Ecr } from '../parts.ts';

/** What an upstream registry is signed in to with. */
export interface UpstreamCredentials {
  readonly username: string;
  readonly password: string;
}

/**
 * The credentials behind a rule's `credentialArn`: a secret `ecr-pullthroughcache/NAME` whose text is, as AWS has it,
 * `{"username": …, "accessToken": …}`. Secrets Manager is asked where it is served; else the text is read from
 * `DATA_DIR/secrets/ecr-pullthroughcache/NAME.json`. Throws SecretNotFoundException, UnableToAccessSecretException.
 */
export async function upstreamCredentials(
  { settings, neighbours }: Pick<Ecr, 'settings' | 'neighbours'>,
  arn: string,
): Promise<UpstreamCredentials> {
  const name = /:secret:(ecr-pullthroughcache\/[\w/+=.@-]+)$/.exec(arn)?.[1] ?? '';
  if (name === '' || name.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw fault('SecretNotFoundException', `'${arn}' is not the ARN of a secret named ecr-pullthroughcache/…`);
  // Secrets Manager ends ARNs with a hyphen and six characters of its own.
  const names = [...new Set([name, name.replace(/-[A-Za-z0-9]{6}$/, '')])];
  const folder = join(settings.dataDir, 'secrets');
  let text = await neighbours.secret?.(arn);
  for (const each of names) text ??= await read(join(folder, `${each}.json`));
  if (text === undefined)
    throw fault(
      'SecretNotFoundException',
      `The secret '${arn}' was not found. Secrets Manager is not served: put {"username": "…", "accessToken": "…"} into ${folder}/${names.at(-1)}.json`,
    );
  let username: unknown;
  let accessToken: unknown;
  try {
    ({ username, accessToken } = JSON.parse(text));
  } catch {}
  if (typeof username !== 'string' || typeof accessToken !== 'string')
    throw fault('UnableToAccessSecretException', `The secret '${arn}' must be JSON with username and accessToken`);
  return { username, password: accessToken };
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
