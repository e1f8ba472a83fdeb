/** `npm run build`: builds the library. It empties `dist` first: a file whose source was removed must not stay. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { embeddedSnapshot, node, root, tsc } from './project.js';

rmSync(join(root, 'dist'), { recursive: true, force: true });
const built = (await node([tsc, '-p', 'tsconfig.build.json'])) && (await node([embeddedSnapshot]));
process.exitCode = built ? 0 : 1;
