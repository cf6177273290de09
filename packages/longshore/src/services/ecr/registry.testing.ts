import { openRig } from './rig.testing.ts';

/** A registry as a process of its own, for tests that kill it: `node registry.testing.ts DATA_DIR` prints its port. */
const rig = await openRig({ dataDir: process.argv[2] as string, auth: 'off' });
console.log(rig.port);
