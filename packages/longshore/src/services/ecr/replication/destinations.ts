import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Destination } from './queue.ts';

/** The Longshore that serves a registry elsewhere, and whom we are there. */
export interface Endpoint {
  /** e.g. `http://10.0.0.7:4566`. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export function destinationsPath(dataDir: string): string {
  return join(dataDir, 'replication.json');
}

/**
 * Where a registry of another region or account is served: the file `DATA_DIR/replication.json`,
 * `{"REGION/ACCOUNT": {"endpoint": …, "accessKeyId": …, "secretAccessKey": …}}`, read anew at every use. Undefined where it does
 * not say; throws where it can't be read.
 */
export async function endpointOf(dataDir: string, { region, registryId }: Destination): Promise<Endpoint | undefined> {
  const path = destinationsPath(dataDir);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let entry: Partial<Endpoint> | undefined;
  try {
    entry = (JSON.parse(text) as Record<string, Partial<Endpoint>>)[`${region}/${registryId}`];
  } catch {
    throw new Error(`${path} is no valid JSON`);
  }
  if (entry === undefined) return undefined;
  const { endpoint, accessKeyId, secretAccessKey } = entry;
  if (!endpoint || !URL.canParse(endpoint) || !accessKeyId || !secretAccessKey)
    throw new Error(`${path}: "${region}/${registryId}" must have endpoint, accessKeyId and secretAccessKey`);
  return { endpoint: endpoint.replace(/\/$/, ''), accessKeyId, secretAccessKey };
}
