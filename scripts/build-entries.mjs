/**
 * Writes the entry points of both builds: each exports the implementation that was loaded first (see
 * lib/one-implementation.ts). The ES module needs its names written out, so they are read from the built module.
 */
import { writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));

/** The entry points by the file that the package exports; each has its exports in a `public-api.js` beside it. */
const entries = {
  index: 'public-api.js',
  'dashboard/index': 'dashboard/public-api.js',
  'testing/index': 'testing/public-api.js',
  'health/index': 'health/public-api.js',
  'metrics/index': 'metrics/public-api.js',
  'telemetry/index': 'telemetry/public-api.js',
};
/** The entry points that import an optional peer. A bundle of another entry point must not need that peer. */
const withPeers = new Set(['health/index', 'metrics/index', 'telemetry/index']);

for (const entry of Object.keys(entries)) {
  const names = Object.keys(await import(new URL(`../dist/esm/${entries[entry]}`, import.meta.url).href));
  writeFileSync(`${dist}esm/${entry}.js`, esModule(entry, names));
  writeFileSync(`${dist}cjs/${entry}.js`, commonJs(entry));
}
// The package is of type `module`, its CommonJS build is not.
writeFileSync(`${dist}cjs/package.json`, `${JSON.stringify({ type: 'commonjs' })}\n`);

/** The other build may ask for an entry point that this process has not imported; only `require()` loads it at once. */
function esModule(entry, names) {
  return [
    `import { createRequire } from 'node:module';`,
    `import * as own from '${from(entry, entries[entry])}';`,
    `import { loadEntry } from '${from(entry, 'one-implementation.js')}';`,
    `const files = ${JSON.stringify(filesFrom(entry))};`,
    `const load = (name) => (name === '${entry}' ? own : createRequire(import.meta.url)(files[name]));`,
    `const { ${names.join(', ')} } = loadEntry('${entry}', load);`,
    `export { ${names.join(', ')} };`,
    '',
  ].join('\n');
}

function commonJs(entry) {
  return [
    `'use strict';`,
    `const { loadEntry } = require('${from(entry, 'one-implementation.js')}');`,
    `const { createRequire } = require('node:module');`,
    // Bundlers see only what `require` names itself.
    `const load = { ${Object.entries(filesFrom(entry))
      .map(([name, file]) =>
        name !== entry && withPeers.has(name)
          ? `'${name}': () => createRequire(__filename)('${file}')`
          : `'${name}': () => require('${file}')`,
      )
      .join(', ')} };`,
    `module.exports = loadEntry('${entry}', (name) => load[name]());`,
    '',
  ].join('\n');
}

function filesFrom(entry) {
  return Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, from(entry, file)]));
}

/** The path of a file as the file of an entry point imports it. */
function from(entry, file) {
  const path = posix.relative(posix.dirname(entry), file);
  return path.startsWith('.') ? path : `./${path}`;
}
