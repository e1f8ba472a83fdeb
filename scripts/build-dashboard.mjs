/**
 * Builds the page of the dashboard into `dist/dashboard`: one script that is split by view, a style and an icon, whose names change
 * with their content. `names.json` tells the server the names, and `server/overview.cjs` renders the overview there.
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
/** @type {import('esbuild').BuildOptions} */
const common = {
  bundle: true,
  minify: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  metafile: true,
  // scripts/notices.mjs writes the licences of all packages into one file.
  legalComments: 'none',
  tsconfigRaw: '{}',
  logLevel: 'warning',
};
const { metafile } = await build({
  ...common,
  entryPoints: { app: join(source, 'start.ts'), style: join(source, 'style.css') },
  outdir: target,
  splitting: true,
  format: 'esm',
  target: ['es2023', 'chrome120', 'firefox121', 'safari17.5'],
  entryNames: '[name]-[hash]',
  chunkNames: 'view-[hash]',
});
// What the server renders the overview with. The folder is not among the files that a browser can load.
const server = await build({
  ...common,
  entryPoints: [join(source, 'server.tsx')],
  outfile: join(target, 'server', 'overview.cjs'),
  platform: 'node',
  format: 'cjs',
  target: 'node20',
});
writeNotices(root, [...new Set([metafile, server.metafile].flatMap(({ inputs }) => Object.keys(inputs)))]);
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

/** The script that another one starts, and those that it cannot start without. */
function partsOf(name) {
  const [started] = importsOf(name, 'dynamic-import');
  const found = new Set([started]);
  for (const part of found) for (const needed of importsOf(part, 'import-statement')) found.add(needed);
  return [...found];
}

function importsOf(name, kind) {
  const [, { imports }] = Object.entries(metafile.outputs).find(([path]) => basename(path) === name);
  return imports.filter((one) => one.kind === kind).map(({ path }) => basename(path));
}
