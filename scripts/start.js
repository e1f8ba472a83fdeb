/** `npm start`: installs, builds the library and the sample, and becomes the sample. */
import { embeddedSnapshot, installPackages, node, tsc } from './project.js';

await installPackages();
// Only what changed is built: another process may be running what is there.
const built = (await node([tsc, '-b', 'sample'])) && (await node([embeddedSnapshot]));
if (!built) process.exit(1);
// In this process: so its signals and its exit code need no forwarding.
process.setSourceMapsEnabled(true);
await import('../sample/dist/main.js');
