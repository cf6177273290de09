import { request as httpRequest } from 'node:http';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { awsClient } from './aws-client.ts';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { dataDirOf, defaultDataDir, readConnection, readSettings } from './data-dir.ts';
import {
  type Balancer,
  ensureBalancer,
  ensureExecutionRole,
  ensureLogGroup,
  ensureNetwork,
  type Network,
} from './deploy/foundation.ts';
import { type Builder, build, ensureRepository, findBuilder, push } from './deploy/image.ts';
import { appName, type Deployment, type DeployRequest } from './deploy/plan.ts';
import { putService, registerTaskDefinition, waitSteady } from './deploy/service.ts';
import { CommandError, paint, say, sayJson } from './output.ts';

interface DeployOptions {
  readonly dataDir: string;
  readonly name?: string;
  readonly cluster: string;
  readonly count?: number;
  readonly cpu: string;
  readonly memory: string;
  readonly port?: number;
  readonly listenerPort: number;
  readonly healthPath: string;
  readonly env: readonly string[];
  readonly buildArg: readonly string[];
  readonly tag?: string;
  readonly timeout: number;
  readonly demo?: boolean;
  readonly json?: boolean;
}

/** What the steps pass on to each other. */
interface Found {
  builder: Builder;
  localImage: string;
  image: string;
  port: number;
  roleArn: string;
  network: Network;
  balancer: Balancer;
  taskDefinition: string;
  how: 'created' | 'updated';
  url: string;
}

export function deployCommand(): Command {
  const number = (text: string) => {
    if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a number.');
    return Number(text);
  };
  const collect = (text: string, all: readonly string[]) => {
    if (!text.includes('=')) throw new InvalidArgumentError('It must be NAME=VALUE.');
    return [...all, text];
  };
  const command = new Command('deploy')
    .helpGroup('Use it:')
    .description('from a folder with a Dockerfile to a URL: build, push to ECR, run on Fargate behind a load balancer')
    .argument('[dir]', 'the folder with the Dockerfile', '.')
    .optionsGroup('What to run:')
    .addOption(new Option('--name <name>', 'of repository, service and load balancer (default: the folder’s)'))
    .addOption(new Option('--cluster <name>', 'the ECS cluster, made where it is missing').default('default'))
    .addOption(new Option('--count <n>', 'how many tasks (default: as many as there are, or 1)').argParser(number))
    .addOption(new Option('--cpu <units>', '1024 are one CPU').default('256'))
    .addOption(new Option('--memory <mib>', 'for the whole task').default('512'))
    .addOption(
      new Option('--port <n>', 'the container’s port (default: the first that the image exposes, or 80)').argParser(
        number,
      ),
    )
    .addOption(
      new Option('-e, --env <name=value>', 'a variable of the container; repeatable')
        .argParser(collect)
        .default([], 'none'),
    )
    .optionsGroup('How it is built and reached:')
    .addOption(
      new Option('--build-arg <name=value>', 'an argument of the Dockerfile; repeatable')
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(new Option('--tag <tag>', 'of the image (default: the time)'))
    .addOption(new Option('--listener-port <n>', 'the load balancer’s port').argParser(number).default(80))
    .addOption(
      new Option('--health-path <path>', 'what the load balancer asks to see if a task is healthy').default('/'),
    )
    .addOption(
      new Option('--timeout <seconds>', 'how long to wait for a steady service').argParser(number).default(300),
    )
    .addOption(new Option('--demo').hideHelp())
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action((dir: string, options: DeployOptions) => deploy(dir, options));
  return withExamples(command, [
    ['longshore deploy ./my-app', 'again: a rolling deployment'],
    ['longshore deploy ./my-app --count 4 --cpu 512 --memory 1024', 'bigger'],
    ['longshore deploy ./my-app -e LOG=debug --port 8080', 'with a variable and a port'],
  ]);
}

async function deploy(dir: string, options: DeployOptions): Promise<void> {
  const dataDir = dataDirOf(options.dataDir);
  const connection = readConnection(dataDir);
  const request = requestOf(
    options.demo ? fileURLToPath(import.meta.resolve('../../../../examples/hello')) : dir,
    options,
  );
  const began = Date.now();
  const shared = { request, client: awsClient(connection), region: connection.region };
  await shared.client.call('sts', 'GetCallerIdentity');
  const found = await runSteps(shared, readSettings(dataDir)?.runtime === 'simulated');
  const seconds = Math.round((Date.now() - began) / 100) / 10;
  if (options.json) {
    const { how, image, taskDefinition, url } = found;
    return sayJson({ url, how, cluster: request.cluster, service: request.name, image, taskDefinition, seconds });
  }
  summary(request, found, seconds, dataDir, dir);
}

function requestOf(dir: string, options: DeployOptions): DeployRequest {
  const folder = resolve(dir);
  const name = options.name ?? appName(basename(folder));
  if (appName(name) !== name || name === '') {
    throw new CommandError(`An app can't be called "${name}".`, {
      hint: 'Up to 32 lower-case letters, digits and hyphens: --name my-app',
    });
  }
  return {
    folder,
    name,
    cluster: options.cluster,
    count: options.count ?? (options.demo ? 2 : undefined),
    cpu: options.cpu,
    memory: options.memory,
    port: options.port,
    listenerPort: options.listenerPort,
    healthPath: options.healthPath,
    environment: options.env.map((pair) => ({
      name: pair.slice(0, pair.indexOf('=')),
      value: pair.slice(pair.indexOf('=') + 1),
    })),
    buildArguments: options.buildArg,
    tag: options.tag ?? new Date().toISOString().replace(/\D/g, '').slice(0, 14),
    timeoutMs: options.timeout * 1000,
  };
}

async function runSteps(shared: Omit<Deployment, 'tell'>, simulated: boolean): Promise<Found> {
  const { Listr } = await import('listr2');
  const { request } = shared;
  const logGroup = `/ecs/${request.name}`;
  const terminal = process.stdout.isTTY === true;
  const began = Date.now();
  type Step = { output: string; title: string };
  /** In a pipe only the steps themselves are told: lines that replace each other need a terminal. */
  const with_ = (step: Step): Deployment => ({
    ...shared,
    tell: (line) => {
      if (terminal) step.output = line.slice(0, 200);
    },
  });
  const steps = new Listr<Found>(
    [
      {
        title: `Build ${request.folder}`,
        task: async (found, step) => {
          found.builder = await findBuilder();
          found.localImage = `localhost/longshore/${request.name}:latest`;
          const exposed = await build(found.builder, with_(step), found.localImage);
          found.port = request.port ?? exposed ?? 80;
          step.title = `Built with ${found.builder.name}; it listens on port ${found.port}`;
        },
      },
      {
        title: 'Push to ECR',
        task: async (found, step) => {
          found.image = `${await ensureRepository(with_(step))}:${request.tag}`;
          await push(found.builder, with_(step), found.localImage, found.image);
          step.title = `Pushed ${found.image}`;
        },
      },
      {
        title: 'Role, logs and network',
        task: async (found, step) => {
          await ensureLogGroup(with_(step), logGroup);
          found.roleArn = await ensureExecutionRole(with_(step));
          found.network = await ensureNetwork(with_(step), found.port);
          step.title = `Role ecsTaskExecutionRole, log group ${logGroup}, security groups in ${found.network.vpcId}`;
        },
      },
      {
        title: 'Load balancer',
        task: async (found, step) => {
          found.balancer = await ensureBalancer(with_(step), found.network, found.port);
          found.url = `http://${found.balancer.dnsName}${request.listenerPort === 80 ? '' : `:${request.listenerPort}`}/`;
          step.title = `Load balancer ${found.balancer.dnsName}`;
        },
      },
      {
        title: 'Task definition and service',
        task: async (found, step) => {
          found.taskDefinition = await registerTaskDefinition(with_(step), { ...found, logGroup });
          found.how = await putService(with_(step), found);
          const revision = found.taskDefinition.split('/').at(-1);
          step.title = `Service ${request.cluster}/${request.name} ${found.how} with ${revision}`;
        },
      },
      {
        title: 'Wait until it is steady',
        task: async (found, step) => {
          await waitSteady(with_(step), found.taskDefinition, found.balancer, began);
          step.title = 'Steady: every task runs and is healthy';
        },
      },
      {
        title: 'Ask the URL',
        // Simulated tasks only pretend: nobody would answer.
        enabled: !simulated,
        task: async (found, step) => {
          step.title = `${found.url} answers ${await ask(found.balancer.dnsName, request.listenerPort)}`;
        },
      },
    ],
    {
      renderer: terminal ? 'default' : 'simple',
      rendererOptions: { collapseErrors: false, showErrorMessage: false, suffixSkips: false },
    } as ConstructorParameters<typeof Listr<Found>>[1],
  );
  return steps.run({} as Found);
}

/** The status that the load balancer's front door on this machine answers with; tries for ten seconds. */
async function ask(host: string, port: number): Promise<number> {
  let trouble = 'no answer';
  for (const until = Date.now() + 10_000; Date.now() < until; await sleep(250)) {
    const status = await new Promise<number | undefined>((done) => {
      const asked = httpRequest(
        { host: '127.0.0.1', port, path: '/', headers: { host }, timeout: 5_000 },
        (response) => {
          response.resume();
          done(response.statusCode);
        },
      );
      asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')));
      asked.on('error', (error) => {
        trouble = error.message;
        done(undefined);
      });
      asked.end();
    });
    if (status !== undefined && status < 500) return status;
    if (status !== undefined) trouble = `status ${status}`;
  }
  throw new CommandError(`http://${host}:${port}/ does not answer as it should: ${trouble}.`, {
    hint: 'longshore doctor',
  });
}

function summary(request: DeployRequest, found: Found, seconds: number, dataDir: string, dir: string): void {
  const elsewhere = dataDir === defaultDataDir ? '' : ` --data-dir ${dataDir}`;
  const { name, cluster } = request;
  const aws = 'aws --endpoint-url $AWS_ENDPOINT_URL';
  const folder = dir === '.' ? request.folder : dir;
  say();
  say(`  ${paint('green', '✓')} ${paint('bold', found.url)}   (${found.how} in ${seconds} s)`);
  say();
  say('  Try next:');
  for (const [line, meaning] of [
    [`curl ${found.url}`, ''],
    [`npx longshore status${elsewhere}`, 'tasks, load balancers, deployments'],
    [`npx longshore deploy ${folder}${elsewhere}`, 'again: a rolling deployment'],
    [`eval "$(npx longshore env${elsewhere})"`, 'then, with AWS’s own CLI:'],
    [`${aws} ecs update-service --cluster ${cluster} --service ${name} --desired-count 4`, ''],
    [`${aws} logs tail /ecs/${name} --follow`, ''],
  ] as const) {
    say(`    ${paint('cyan', line)}${meaning ? `   ${meaning}` : ''}`);
  }
  say();
}
