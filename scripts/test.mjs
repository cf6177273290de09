#!/usr/bin/env node
// The checks of this repository, in the order in which they are quick: lint and import rules, types, tests.
//
//   node scripts/test.mjs [--all] [--only lint,types,tests,clients] [FILTER …]
//
// --all adds the suites with genuine clients (packages/longshore/test/e2e, packages/conformance). A FILTER keeps the test files
// whose path contains it. Every step runs even where an earlier one failed; the end is 1 where any did.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules/.bin');
const node = Number(process.versions.node.split('.')[0]) >= 24 ? process.execPath : join(bin, 'node');
const env = {
  ...process.env,
  PATH: [bin, process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter),
  NODE_NO_WARNINGS: '1',
};
// A runner inside a runner would report to the outer one instead of to the terminal.
delete env.NODE_TEST_CONTEXT;

const { all, only, filters } = readArguments(process.argv.slice(2));
const files = testFiles(join(root, 'packages')).filter(
  (file) => filters.length === 0 || filters.some((filter) => file.includes(filter)),
);
const genuine = (file) => file.startsWith('packages/longshore/test/e2e/') || file.startsWith('packages/conformance/');

/** Minutes are the bound of a whole step; the test files' own bound is `--test-timeout`. */
const steps = [
  {
    key: 'lint',
    title: 'Lint and import rules',
    minutes: 3,
    run: [join(bin, 'biome'), 'check', '--error-on-warnings', '.'],
  },
  {
    key: 'types',
    title: 'Types',
    minutes: 3,
    run: [node, join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json'],
  },
  {
    key: 'tests',
    title: 'Tests',
    minutes: 10,
    files: files.filter((file) => !genuine(file)),
    concurrency: 2,
    timeout: 120_000,
  },
  {
    key: 'clients',
    title: 'Suites with genuine clients',
    minutes: 14,
    files: files.filter(genuine),
    concurrency: 1,
    timeout: 600_000,
  },
].filter((step) => (only ? only.includes(step.key) : step.key !== 'clients' || all));

const outcomes = [];
for (const step of steps) {
  if (step.files?.length === 0) {
    outcomes.push({ step, ok: files.length > 0, note: 'no files' });
    continue;
  }
  console.log(`\n━━ ${step.title}${step.files ? ` (${step.files.length} files)` : ''}`);
  const began = Date.now();
  const command = step.run ?? [
    node,
    '--test',
    `--test-concurrency=${step.concurrency}`,
    `--test-timeout=${step.timeout}`,
    '--test-reporter=spec',
    ...step.files,
  ];
  const end = await execute(command, step.minutes);
  outcomes.push({
    step,
    ok: end.ok,
    note: `${((Date.now() - began) / 1000).toFixed(1)} s${end.why ? `, ${end.why}` : ''}`,
    totals: end.totals,
  });
}

console.log('\n━━ Result');
for (const { step, ok, note, totals } of outcomes) {
  const counts = totals ? `${totals.pass} passed, ${totals.fail} failed, ${totals.skipped} skipped, ` : '';
  console.log(`${ok ? '✓' : '✗'} ${step.title}: ${counts}${note}`);
}
const failed = outcomes.filter((outcome) => !outcome.ok).length;
const sum = (name) => outcomes.reduce((total, outcome) => total + (outcome.totals?.[name] ?? 0), 0);
console.log(
  `${failed === 0 ? 'PASSED' : 'FAILED'}: ${sum('tests')} tests, ${sum('pass')} passed, ${sum('fail')} failed, ${sum('skipped')} skipped`,
);
process.exitCode = failed === 0 ? 0 : 1;

function readArguments(list) {
  const at = list.indexOf('--only');
  const onlyKeys = at >= 0 ? list.splice(at, 2)[1]?.split(',') : undefined;
  return { all: list.includes('--all'), only: onlyKeys, filters: list.filter((each) => !each.startsWith('--')) };
}

function testFiles(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true })
    .flatMap((entry) => {
      if (entry.name === 'node_modules') return [];
      const path = join(dir, entry.name);
      return entry.isDirectory() ? testFiles(path) : entry.name.endsWith('.test.ts') ? [relative(root, path)] : [];
    })
    .sort();
}

/** Runs a step's command with its output shown; reads the totals that node's spec reporter ends with. */
function execute([file, ...args], minutes) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    let tail = '';
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      tail = (tail + chunk.toString()).slice(-20_000);
    });
    let why;
    const stop = (reason) => {
      why = reason;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    };
    const timer = setTimeout(() => stop(`stopped after ${minutes} minutes`), minutes * 60_000);
    const onSignal = () => {
      stop('interrupted');
      process.exit(130);
    };
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    child.on('error', (error) => {
      why = error.message;
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      const totals = args.includes('--test') ? readTotals(tail) : undefined;
      if (totals && totals.tests === 0) why ??= 'no test ran';
      if (args.includes('--test') && !totals) why ??= 'no totals were reported';
      resolve({
        ok: code === 0 && !why,
        why: why ?? (code === 0 ? undefined : signal ? `ended by ${signal}` : `exit code ${code}`),
        totals,
      });
    });
  });
}

function readTotals(text) {
  const read = (name) => {
    const found = [...text.matchAll(new RegExp(`^ℹ ${name} (\\d+)$`, 'gm'))].at(-1);
    return found ? Number(found[1]) : undefined;
  };
  const totals = { tests: read('tests'), pass: read('pass'), fail: read('fail'), skipped: read('skipped') };
  return totals.tests === undefined ? undefined : totals;
}
