/**
 * The program of child processes. It is an ES module also for an application that is CommonJS, because only ES modules import both kinds.
 * This file is CommonJS in both builds, because `__dirname` exists there alike.
 */
import path = require('node:path');

const program = 'supervisor/isolated/main';

/** The absolute path of the program; `undefined` in a bundle, where there is no such file. */
const childProgram =
  typeof __dirname !== 'string'
    ? undefined
    : __filename.endsWith('.cts')
      ? path.join(__dirname, '..', `${program}.ts`)
      : path.join(__dirname, '../../esm', `${program}.js`);

export = { childProgram };
