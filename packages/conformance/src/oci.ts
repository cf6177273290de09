import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../longshore/src/cli/checks.ts';

/** The OCI distribution conformance suite, pinned; built through the Go module proxy, so none of it is kept here. */
export const suite = {
  module: 'github.com/opencontainers/distribution-spec/conformance',
  version: 'v0.0.0-20260831232431-97274622c111',
};

/** Building takes a minute and a half the first time and seconds afterwards: Go caches what it built. */
const buildMilliseconds = 300_000;
const runMilliseconds = 120_000;

/** Builds the suite into a folder: its program, or why it can't be built here (no Go, no way to the module proxy). */
export async function buildSuite(folder: string): Promise<{ readonly program: string } | { readonly missing: string }> {
  // The second is where Go's own installer puts it, often not on PATH.
  const go = findProgram('go') ?? (existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : undefined);
  if (!go)
    return { missing: 'Go is not installed: the OCI conformance suite was NOT run (apt install golang, ≥ 1.24)' };
  const { error, output } = await new Promise<{ error: Error | null; output: string }>((resolve) => {
    const env = { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod' };
    execFile(
      go,
      ['install', `${suite.module}@${suite.version}`],
      { env, timeout: buildMilliseconds },
      (failure, stdout, stderr) => resolve({ error: failure, output: `${stdout}${stderr}` }),
    );
  });
  if (!error) return { program: join(folder, 'conformance') };
  if (/dial tcp|no such host|i\/o timeout|connection refused|requires go >= |invalid go version/.test(output))
    return { missing: `the OCI conformance suite was NOT run, as Go could not build it: ${output.trim().slice(-300)}` };
  throw new Error(`go install ${suite.module}@${suite.version} failed:\n${output}`, { cause: error });
}

export interface SuiteTarget {
  /** `HOST:PORT`. */
  readonly registry: string;
  readonly username: string;
  readonly password: string;
  readonly repositories: readonly [string, string];
  /** Of the specification: `1.1`, or `dev` for what comes after it. */
  readonly version: '1.1' | 'dev';
  /** Where it writes its reports: results.yaml, junit.xml, report.html. */
  readonly results: string;
}

export interface SuiteResult {
  /** Tests by outcome. */
  readonly counts: Readonly<Record<'Disabled' | 'Skip' | 'Pass' | 'FAIL' | 'Error' | 'Total', number>>;
  /** Each API and kind of data with its outcome, e.g. `Blob mount` → `Pass`. */
  readonly parts: ReadonlyMap<string, string>;
  readonly output: string;
}

/** Runs every category of the suite against a registry. */
export async function runSuite(program: string, target: SuiteTarget): Promise<SuiteResult> {
  const output = await new Promise<string>((resolve, reject) => {
    const child = spawn(program, [], {
      cwd: target.results,
      timeout: runMilliseconds,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: target.results,
        OCI_REGISTRY: target.registry,
        OCI_TLS: 'disabled',
        OCI_REPO1: target.repositories[0],
        OCI_REPO2: target.repositories[1],
        OCI_USERNAME: target.username,
        OCI_PASSWORD: target.password,
        OCI_VERSION: target.version,
        OCI_RESULTS_DIR: target.results,
      },
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        text += chunk;
      });
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
  const lines = output.slice(Math.max(0, output.lastIndexOf('OCI Conformance Result')));
  const read = new Map(
    [...lines.matchAll(/^ {2}(\S.*?)\.*:\s+(\S+)\s*$/gm)].map((match) => [match[1] as string, match[2] as string]),
  );
  const take = (name: string): number => {
    const value = Number(read.get(name));
    read.delete(name);
    if (!Number.isInteger(value)) throw new Error(`the OCI suite did not run to its end:\n${output.slice(-3000)}`);
    return value;
  };
  const counts = {
    Disabled: take('Disabled'),
    Skip: take('Skip'),
    Pass: take('Pass'),
    FAIL: take('FAIL'),
    Error: take('Error'),
    Total: take('Total'),
  };
  return { counts, parts: read, output };
}
