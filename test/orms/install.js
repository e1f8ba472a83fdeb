import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;
/** A digest of what was installed last. It is gone as soon as `node_modules` is. */
const stamp = join(folder, 'node_modules/.installed');

/** Installs the libraries of this folder and generates Prisma's client, unless that has happened already. */
export function installLibraries() {
  const digest = createHash('sha256');
  for (const name of ['package.json', 'package-lock.json', 'prisma/schema.prisma'])
    digest.update(readFileSync(join(folder, name)));
  const wanted = digest.digest('hex');
  if (existsSync(stamp) && existsSync(join(folder, 'generated')) && readFileSync(stamp, 'utf8') === wanted) return;
  run('npm', ['install', '--no-audit', '--no-fund']);
  // The client needs no engine. Prisma's command would download one for migrations, which the tests do not use.
  run(process.execPath, ['node_modules/prisma/build/index.js', 'generate'], {
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
  });
  writeFileSync(stamp, wanted);
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} [environment]
 */
function run(program, args, environment = {}) {
  // The options of the test run are not for these programs.
  execFileSync(program, args, {
    cwd: folder,
    stdio: 'inherit',
    env: { ...process.env, NODE_OPTIONS: '', ...environment },
  });
}
