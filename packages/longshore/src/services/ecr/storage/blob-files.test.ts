import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobFiles } from './blob-files.ts';
import { blobStoreContract } from './contract.testing.ts';

blobStoreContract('files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-blobs-'));
  return { store: blobFiles(folder), close: () => rm(folder, { recursive: true, force: true }) };
});
