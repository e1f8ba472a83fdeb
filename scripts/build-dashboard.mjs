/**
 * Builds the page of the dashboard into `dist/dashboard`: one script that is split by view, a style and an icon, whose names change
 * with their content. `names.json` tells the server the names.
 */
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeNotices } from './notices.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'dashboard');
const target = join(root, 'dist', 'dashboard');

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const { metafile } = await build({
  entryPoints: { app: join(source, 'main.tsx'), style: join(source, 'style.css') },
  outdir: target,
  bundle: true,
  splitting: true,
  format: 'esm',
  minify: true,
  target: ['es2023', 'chrome120', 'firefox121', 'safari17.5'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  entryNames: '[name]-[hash]',
  chunkNames: 'view-[hash]',
  metafile: true,
  // scripts/notices.mjs writes the licences of all packages into one file.
  legalComments: 'none',
  tsconfigRaw: '{}',
  logLevel: 'warning',
});
writeNotices(root, Object.keys(metafile.inputs));
const outputs = Object.keys(metafile.outputs).map((path) => basename(path));
const find = (pattern) => outputs.find((name) => pattern.test(name));
const script = find(/^app-.*\.js$/);
const icon = readFileSync(join(source, 'icon.svg'));
const iconName = `icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8)}.svg`;
writeFileSync(join(target, iconName), icon);
writeFileSync(
  join(target, 'names.json'),
  `${JSON.stringify({ script, parts: partsOf(script), style: find(/^style-.*\.css$/), icon: iconName })}\n`,
);

/** The files that a script cannot start without, and those that they cannot start without. */
function partsOf(name, found = new Set()) {
  const [, { imports }] = Object.entries(metafile.outputs).find(([path]) => basename(path) === name);
  for (const { path, kind } of imports) {
    const part = basename(path);
    if (kind !== 'import-statement' || found.has(part)) continue;
    found.add(part);
    partsOf(part, found);
  }
  return [...found];
}
