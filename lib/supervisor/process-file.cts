/**
 * The program of the processes that a supervisor starts. The file is CommonJS in both builds, because `__filename` exists there alike.
 */
import path = require('node:path');

/** `main.js` in a build, `main.ts` in the source. */
const processFile = path.join(__dirname, 'process', `main.${__filename.endsWith('.cts') ? 'ts' : 'js'}`);

export = { processFile };
