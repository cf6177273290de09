// Fills Node's compile cache, as the last step of set-up: the first start need not strip types (the stripper alone is 45 MB in each
// process) nor compile anything. Run by Node 24 with the flag that bin/longshore.mjs has, since V8 takes code of the same flags only.
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
module.enableCompileCache(join(root, 'node_modules/.cache/longshore'));
process.removeAllListeners('warning');

/** What is read at a start, each with all that it imports; what some commands alone need is compiled when they first run. */
const doors = [
  ...['cli/main.ts', 'cli/up.ts', 'cli/deploy.ts', 'main.ts', 'node/agent.ts', 'balancer/open.ts', 'dns/open.ts'],
  ...[
    'node/network/open.ts',
    'node/runtime/containerd/containerd-runtime.ts',
    'node/runtime/containerd/places.ts',
    'cli/node-process.ts',
  ],
];
for (const door of doors) await import(join(root, 'packages/longshore/src', door));
module.flushCompileCache();
process.exit(0);
