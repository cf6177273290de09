import { Command, CommanderError } from 'commander';
import { AwsError } from './aws-client.ts';
import { CommandError, paint } from './output.ts';

/** Each command's file is read only when that command, or the help of all, is asked for: start-up time counts. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import('./up.ts')).upCommand(),
  down: async () => (await import('./down.ts')).downCommand(),
  node: async () => (await import('./node.ts')).nodeCommand(),
  deploy: async () => (await import('./deploy.ts')).deployCommand(),
  status: async () => (await import('./status.ts')).statusCommand(),
  events: async () => (await import('./events.ts')).eventsCommand(),
  images: async () => (await import('./images.ts')).imagesCommand(),
  scan: async () => (await import('./scan.ts')).scanCommand(),
  advisories: async () => (await import('./advisories.ts')).advisoriesCommand(),
  env: async () => (await import('./env.ts')).envCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(),
};

/** Runs the command line given as `process.argv` is; sets the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  endWithLauncher();
  const program = new Command('longshore')
    .description('Amazon ECS, Fargate and ECR on your own machines.')
    .version('0.1.0', '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, 100) })
    .showSuggestionAfterError()
    .exitOverride();
  const named = commands[argv[2] ?? ''];
  for (const load of named ? [named] : Object.values(commands)) {
    program.addCommand(inherit(await load()));
  }
  program.addHelpText(
    'after',
    `
Begin:
  longshore up                      start, and keep running until Ctrl-C
  eval "$(longshore env)"           point aws, the SDKs, CDK and Terraform at it
  longshore deploy ./my-app         from a folder with a Dockerfile to a URL

Every option of \`up\` can be given as LONGSHORE_…, e.g. LONGSHORE_PORT.`,
  );
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

function inherit(command: Command): Command {
  return command
    .helpOption('-h, --help', 'print help')
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, 100) })
    .showSuggestionAfterError()
    .exitOverride();
}

/** Says what failed; the exit code. */
function report(error: unknown): number {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof AwsError) {
    process.stderr.write(`${paint('red', '✗')} ${error.message}\n`);
    return 1;
  }
  if (error instanceof CommandError) {
    process.stderr.write(`${paint('red', '✗')} ${error.message}\n`);
    if (error.hint) process.stderr.write(`  ${error.hint.replaceAll('\n', '\n  ')}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `${paint('red', '✗')} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 70;
}

/** Where an older Node launched this one (bin/longshore.mjs), its outright end must end this one too. */
function endWithLauncher(): void {
  if (!process.env.LONGSHORE_LAUNCHER || !process.channel) return;
  delete process.env.LONGSHORE_LAUNCHER;
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel.unref();
}
