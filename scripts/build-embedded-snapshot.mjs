/**
 * Makes the database that the embedded engine starts from, because PGlite takes several seconds to initialise one: a
 * data directory with BullMQ's tables in the schema `tasks` (the default prefix), as a compressed tar archive in
 * `dist`.
 *
 * The script keeps a copy in node_modules/.cache. The copy's name contains a hash of this script and of the versions of
 * PGlite and BullMQ, so that a clean build only copies the archive.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

const schema = 'tasks';
// lib/engine/bullmq/embedded/prepared-database.ts reads this file.
const target = fileURLToPath(new URL('../dist/prepared-database.tar.br', import.meta.url));

const installed = (path) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));
const madeFrom = [
  fileURLToPath(import.meta.url),
  installed('@electric-sql/pglite/package.json'),
  installed('bullmq/package.json'),
];
const key = madeFrom.reduce((hash, file) => hash.update(readFileSync(file)), createHash('sha256')).digest('hex');
const cached = installed(`.cache/nestjs-task-queue/embedded-${key.slice(0, 16)}.tar.br`);

if (!existsSync(cached)) {
  const database = compress(await makeDatabase());
  put(cached, (file) => writeFileSync(file, database));
}
put(target, (file) => copyFileSync(cached, file));

/**
 * Writes a file and then renames it. Several test suites may run this script at once: none reads an incomplete file.
 */
function put(file, write) {
  mkdirSync(dirname(file), { recursive: true });
  write(`${file}.${process.pid}`);
  renameSync(`${file}.${process.pid}`, file);
}

async function makeDatabase() {
  const { PGlite } = await import('@electric-sql/pglite');
  const { runMigrations } = await import('bullmq');
  // Small segments of the write-ahead log. Even a small database starts with two, and a segment is usually 16 MB.
  const db = await PGlite.create({ initDbStartParams: ['--wal-segsize=1'] });
  const client = {
    query: async (text, params) => (params ? await db.query(text, params) : (await db.exec(text)).at(-1)),
  };
  await runMigrations(client, schema);
  // The engine creates no further database, so it needs no templates. Each template is a third of all files.
  await db.exec('UPDATE pg_database SET datistemplate = false');
  for (const name of ['template0', 'template1']) await db.exec(`DROP DATABASE ${name}`);
  await db.exec('VACUUM FREEZE ANALYZE');
  for (let segments = 0; segments < 2; segments++) await db.exec('SELECT pg_switch_wal(); CHECKPOINT');
  const tar = Buffer.from(await (await db.dumpDataDir('none')).arrayBuffer());
  await db.close();
  return tar;
}

function compress(tar) {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = constants;
  return brotliCompressSync(tar, {
    params: { [BROTLI_PARAM_QUALITY]: 9, [BROTLI_PARAM_LGWIN]: 24, [BROTLI_PARAM_SIZE_HINT]: tar.length },
  });
}
