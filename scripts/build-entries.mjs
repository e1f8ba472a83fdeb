/**
 * Writes the entry points of both builds: each exports the implementation that was loaded first (see
 * lib/one-implementation.ts). The ES module needs its names written out, so they are read from the built module.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));

/** The entry points by the file that the package exports; each has its exports in a `public-api.js` beside it. */
const entries = { index: './public-api.js' };

for (const [entry, api] of Object.entries(entries)) {
  const names = Object.keys(await import(new URL(`../dist/esm/${api}`, import.meta.url).href));
  writeFileSync(`${dist}esm/${entry}.js`, esModule(entry, api, names));
  writeFileSync(`${dist}cjs/${entry}.js`, commonJs(entry, api));
}
// The package is of type `module`, its CommonJS build is not.
writeFileSync(`${dist}cjs/package.json`, `${JSON.stringify({ type: 'commonjs' })}\n`);

function esModule(entry, api, names) {
  return [
    `import * as own from '${api}';`,
    `import { loadEntry } from './one-implementation.js';`,
    `const { ${names.join(', ')} } = loadEntry('${entry}', () => own);`,
    `export { ${names.join(', ')} };`,
    '',
  ].join('\n');
}

function commonJs(entry, api) {
  return [
    `'use strict';`,
    `const { loadEntry } = require('./one-implementation.js');`,
    `module.exports = loadEntry('${entry}', () => require('${api}'));`,
    '',
  ].join('\n');
}
