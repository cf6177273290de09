import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type {
  CreateRepositoryResponse,
  DescribeRepositoriesResponse,
  GetAuthorizationTokenResponse,
} from '@aws-sdk/client-ecr';
import { AwsError } from '../aws-client.ts';
import { findProgram } from '../checks.ts';
import { CommandError } from '../output.ts';
import type { Deployment } from './plan.ts';

const execute = promisify(execFile);
const buildBoundMs = 20 * 60_000;

export interface Builder {
  readonly name: 'buildah' | 'docker';
  readonly path: string;
}

/** The tool that builds: buildah, or docker where its daemon answers. Throws CommandError where there is neither. */
export async function findBuilder(): Promise<Builder> {
  const buildah = findProgram('buildah');
  if (buildah) return { name: 'buildah', path: buildah };
  const docker = findProgram('docker');
  const answers =
    docker &&
    (await execute(docker, ['version'], { timeout: 10_000 }).then(
      () => true,
      () => false,
    ));
  if (docker && answers) return { name: 'docker', path: docker };
  throw new CommandError('Building needs buildah, or docker with its daemon running.', {
    hint: 'apt-get install buildah',
  });
}

/** Builds the folder's Dockerfile to a local image; answers the port that the image exposes, where it exposes one. */
export async function build(
  builder: Builder,
  { request, tell }: Deployment,
  image: string,
): Promise<number | undefined> {
  const { folder, buildArguments } = request;
  if (!['Dockerfile', 'Containerfile'].some((name) => existsSync(join(folder, name)))) {
    throw new CommandError(`${folder} holds no Dockerfile.`, {
      hint: 'Name a folder that holds one: longshore deploy DIR',
    });
  }
  const earlier = await localId(builder, image);
  const buildArgs = buildArguments.flatMap((each) => ['--build-arg', each]);
  // Debian 12's buildah finds a cached layer for `ENV X=${ARG}` whatever the argument is.
  const cached = buildArgs.length === 0 ? ['--layers'] : [];
  // chroot isolation shares the machine's network, so RUN steps need no CNI plugins.
  const args = builder.name === 'buildah' ? ['bud', '--isolation', 'chroot', ...cached] : ['build'];
  await stream(builder.path, [...args, ...buildArgs, '-t', image, folder], tell);
  // The image of an earlier deployment has lost its name to this one; without this, every deployment would leave one behind.
  if (earlier && earlier !== (await localId(builder, image)))
    await execute(builder.path, ['rmi', earlier], { timeout: 30_000 }).catch(() => {});
  return exposedPort(builder, image);
}

/** The first port that an image exposes. */
async function exposedPort(builder: Builder, image: string): Promise<number | undefined> {
  const args = builder.name === 'buildah' ? ['inspect', '--type', 'image', image] : ['image', 'inspect', image];
  const { stdout } = await execute(builder.path, args, { timeout: 30_000, maxBuffer: 16 * 1024 * 1024 });
  const told = JSON.parse(stdout) as InspectedByBuildah | readonly InspectedByDocker[];
  const config = 'OCIv1' in told ? told.OCIv1.config : told[0]?.Config;
  return Object.keys(config?.ExposedPorts ?? {}).map((port) => Number.parseInt(port, 10))[0];
}

interface WithPorts {
  readonly ExposedPorts?: Readonly<Record<string, object>> | null;
}

interface InspectedByBuildah {
  readonly OCIv1: { readonly config?: WithPorts };
}

interface InspectedByDocker {
  readonly Config?: WithPorts;
}

async function localId(builder: Builder, image: string): Promise<string | undefined> {
  const { stdout } = await execute(builder.path, ['images', '--quiet', '--no-trunc', image], { timeout: 30_000 }).catch(
    () => ({ stdout: '' }),
  );
  return stdout.trim().split('\n')[0] || undefined;
}

/** The repository of that name, made where it is missing; its URI. */
export async function ensureRepository({ client, request, tell }: Deployment): Promise<string> {
  const uri = (repository: { repositoryUri?: string | undefined } | undefined) => {
    if (!repository?.repositoryUri) throw new Error('ECR answered no repositoryUri.');
    return repository.repositoryUri;
  };
  try {
    const found = await client.call<DescribeRepositoriesResponse>('ecr', 'DescribeRepositories', {
      repositoryNames: [request.name],
    });
    return uri(found.repositories?.[0]);
  } catch (error) {
    if (!(error instanceof AwsError) || error.code !== 'RepositoryNotFoundException') throw error;
  }
  const made = await client.call<CreateRepositoryResponse>('ecr', 'CreateRepository', { repositoryName: request.name });
  tell(`made ${uri(made.repository)}`);
  return uri(made.repository);
}

/** Pushes a local image, logged in for this push alone. */
export async function push(
  builder: Builder,
  { client, tell }: Deployment,
  image: string,
  target: string,
): Promise<void> {
  const { authorizationData } = await client.call<GetAuthorizationTokenResponse>('ecr', 'GetAuthorizationToken');
  const auth = authorizationData?.[0]?.authorizationToken;
  if (!auth) throw new Error('ECR answered no authorization token.');
  const folder = mkdtempSync(join(tmpdir(), 'longshore-deploy-'));
  try {
    const registry = target.slice(0, target.indexOf('/'));
    const authFile = join(folder, 'config.json');
    writeFileSync(authFile, JSON.stringify({ auths: { [registry]: { auth } } }), { mode: 0o600 });
    if (builder.name === 'buildah') {
      await stream(
        builder.path,
        ['push', '--authfile', authFile, '--tls-verify=false', image, `docker://${target}`],
        tell,
      );
    } else {
      await stream(builder.path, ['tag', image, target], tell);
      await stream(builder.path, ['--config', folder, 'push', target], tell);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a tool with its lines shown as they come; throws with its last lines where it fails. */
function stream(path: string, args: readonly string[], tell: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: buildBoundMs });
    const last: string[] = [];
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on('line', (line) => {
        if (line.trim() === '') return;
        last.push(line);
        if (last.length > 12) last.shift();
        tell(line);
      });
    }
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) return resolve();
      const end = signal ? `was ended by ${signal}` : `failed with exit code ${code}`;
      reject(
        new CommandError(
          `\`${path.split('/').at(-1)} ${args[0]}\` ${end}:\n${last.map((line) => `  ${line}`).join('\n')}`,
        ),
      );
    });
  });
}
