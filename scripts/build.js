/**
 * `npm run build`: builds the library twice, as ES modules (`dist/esm`) and as CommonJS (`dist/cjs`), and the page of the dashboard (`dist/dashboard`). It empties `dist`
 * first: a file whose source was removed must not stay.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundle, dashboard, embeddedSnapshot, entries, node, root, tsc } from './project.js';

rmSync(join(root, 'dist'), { recursive: true, force: true });
const steps = [
  [tsc, '-p', 'tsconfig.build.json'],
  [tsc, '-p', 'tsconfig.build.cjs.json'],
  [bundle],
  [dashboard],
  [embeddedSnapshot],
  [entries],
];
for (const step of steps) {
  if (await node(step)) continue;
  process.exitCode = 1;
  break;
}
