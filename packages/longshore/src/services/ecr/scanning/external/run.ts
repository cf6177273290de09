import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Finding } from '../findings.ts';
import type { ExternalJob, ScanJob } from '../worker/protocol.ts';
import { parseReport } from './reports.ts';

const mostOutput = 256 * 1024 * 1024;
const mostComplaint = 4000;

/**
 * Has another program scan the image: gives it a folder with the image as an OCI layout (image-layout 1.0.0; blobs as they are stored,
 * never unpacked), and reads the JSON that it prints.
 */
export async function scanExternally(
  external: ExternalJob,
  job: Pick<ScanJob, 'digest' | 'layers'>,
  blob: (digest: string) => AsyncIterable<Uint8Array>,
  started: (pid: number) => void,
): Promise<Finding[]> {
  await writeLayout(external.folder, external, job, blob);
  return parseReport(await run(external, started));
}

async function writeLayout(
  folder: string,
  external: ExternalJob,
  job: Pick<ScanJob, 'digest' | 'layers'>,
  blob: (digest: string) => AsyncIterable<Uint8Array>,
): Promise<void> {
  const place = async (digest: string) => {
    const [algorithm = '', hex = ''] = digest.split(':');
    await mkdir(join(folder, 'blobs', algorithm), { recursive: true });
    return join(folder, 'blobs', algorithm, hex);
  };
  await writeFile(await place(job.digest), external.manifest);
  for (const digest of new Set([external.config, ...job.layers.map((layer) => layer.digest)]))
    await pipeline(blob(digest), createWriteStream(await place(digest), { mode: 0o600 }));
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const descriptor = {
    mediaType: external.mediaType,
    digest: job.digest,
    size: Buffer.byteLength(external.manifest),
    annotations: { 'org.opencontainers.image.ref.name': 'image' },
  };
  await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
}

function run({ command, timeout, folder }: ExternalJob, started: (pid: number) => void): Promise<string> {
  const [program = '', ...rest] = command.map((part) => part.replaceAll('{layout}', folder));
  const args = command.some((part) => part.includes('{layout}')) ? rest : [...rest, folder];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' });
    if (child.pid !== undefined) started(child.pid);
    const output: Buffer[] = [];
    let length = 0;
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > mostOutput) child.kill('SIGKILL');
      else output.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk).slice(-mostComplaint);
    });
    child.once('error', (error) =>
      reject(new Error(`the external scanner ${program} could not be started: ${error.message}`)),
    );
    child.once('close', (code, signal) => {
      started(0);
      if (code === 0) return resolve(Buffer.concat(output).toString('utf8'));
      const why = length > mostOutput ? `printed more than ${mostOutput} bytes` : `ended with ${signal ?? code}`;
      const last = complaint.trim().split('\n').at(-1) ?? '';
      reject(new Error(`the external scanner ${program} ${why}${last ? `: ${last.slice(0, 300)}` : ''}`));
    });
  });
}
