/**
 * Puts the ES modules of `dist/esm` into few files: Node takes longer to find, read and link 300 small files than to run what is in
 * them. The files that something loads by their path stay where they are, and share the chunks. The declarations stay as they are.
 * The CommonJS build stays as it is.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';

const folder = fileURLToPath(new URL('../dist/esm/', import.meta.url));

/** What the entry points export (see build-entries.mjs), and the programs that are started. */
const entries = [
  ...['', 'dashboard/', 'testing/', 'health/', 'metrics/', 'telemetry/'].map((part) => `${part}public-api`),
  'one-implementation',
  'testing/matchers',
  'cli/main',
  'supervisor/process/main',
  'supervisor/isolated/main',
];

/** The maps lead to lib/, as those of the compiler do. */
const withMap = {
  name: 'with-map',
  load: (file) => ({ code: readFileSync(file, 'utf8'), map: readFileSync(`${file}.map`, 'utf8') }),
};

const bundle = await rollup({
  input: Object.fromEntries(entries.map((entry) => [entry, join(folder, `${entry}.js`)])),
  // Packages, and the CommonJS files, which stay because they have a `__dirname`.
  external: (id) => /^[^./]/.test(id) || id.endsWith('.cjs'),
  plugins: [withMap],
  onwarn: ({ code, message }) => {
    // The helpers of the compiler look whether there is a `this`.
    if (code !== 'THIS_IS_UNDEFINED') throw new Error(message);
  },
});
const { output } = await bundle.generate({
  ...{ dir: folder, format: 'es', sourcemap: true, sourcemapExcludeSources: true },
  ...{ entryFileNames: '[name].js', chunkFileNames: 'chunks/[name].js', minifyInternalExports: false },
});
await bundle.close();
for (const file of readdirSync(folder, { recursive: true }))
  if (/\.js(?:\.map)?$/.test(file)) rmSync(join(folder, file));
for (const { fileName, ...file } of output) {
  const text = file.type === 'chunk' ? file.code : file.source;
  checkClassNames(text, fileName);
  mkdirSync(dirname(join(folder, fileName)), { recursive: true });
  writeFileSync(join(folder, fileName), text);
}

/** The second of two classes with the same name gets a number. Nest, errors and log lines show the names of classes. */
function checkClassNames(text, file) {
  const renamed = /\bclass (\w+\$\d+) /.exec(text)?.[1];
  if (renamed) throw new Error(`Two classes have the same name, so one of them is called ${renamed} in ${file}.`);
}
