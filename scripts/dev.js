/**
 * `npm run dev`: `npm start` that watches. A compiler writes what changed in `lib` and `sample/src`, and Node starts the sample again
 * when a file that it has loaded changes. It waits until the sample has closed, so that the next one can open the embedded database.
 */
import { spawn } from 'node:child_process';
import { dashboard, embeddedSnapshot, installPackages, node, root, tsc } from './project.js';

await installPackages();
const built = (await node([tsc, '-b', 'sample'])) && (await node([dashboard])) && (await node([embeddedSnapshot]));
if (!built) process.exit(1);

const children = [
  [tsc, '-b', 'sample', '--watch', '--preserveWatchOutput'],
  ['--watch', '--watch-preserve-output', '--enable-source-maps', 'sample/dist/main.js'],
].map((args) => spawn(process.execPath, args, { cwd: root, stdio: 'inherit' }));
const stop = (signal) => children.forEach((child) => child.kill(signal));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));
// When one of them ends, the other one has nothing to do any more.
for (const child of children) child.on('close', () => stop('SIGTERM'));
