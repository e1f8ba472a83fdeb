/** `npm start`: installs the packages, builds the library and the sample, and runs the sample in this process. */
import { dashboard, embeddedSnapshot, installPackages, node, tsc } from './project.js';

await installPackages();
// `tsc -b` writes only what changed, because another process may be running the sample.
const built = (await node([tsc, '-b', 'sample'])) && (await node([dashboard])) && (await node([embeddedSnapshot]));
if (!built) process.exit(1);
// In this process, so that no signal and no exit code has to be forwarded.
process.setSourceMapsEnabled(true);
await import('../sample/dist/main.js');
