import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { LATEST_SCHEMA_VERSION } from 'bullmq';
import { loadPGlite } from '../../../lib/engine/bullmq/embedded/start-pglite.js';
import { readPreparedDatabase } from '../../../lib/engine/bullmq/embedded/prepared-database.js';
import { embeddedFixture, withPreparedDatabase } from '../../support/embedded.js';

withPreparedDatabase();
const { newFolder, open, openElsewhere, logged } = embeddedFixture();

/** The fastest of three runs, in milliseconds, because other programs on the machine slow some runs down. */
async function fastest(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 3; round++) {
    const start = performance.now();
    await run();
    times.push(Math.round(performance.now() - start));
  }
  return Math.min(...times);
}

/** A prepared database of another PostgreSQL version. */
async function unfitDatabase(): Promise<Buffer> {
  const tar = (await readPreparedDatabase())!;
  let header = -1;
  do header = tar.indexOf('/PG_VERSION\0', header + 1);
  while (header % 512 !== 0);
  tar.write('15\n', header + 512);
  return tar;
}

describe('openEmbeddedDatabase', () => {
  it('the database starts within 4 s: in memory, in a new folder and in an existing folder', async () => {
    const memory = await fastest(() => open());
    const fresh = await fastest(() => open({ folder: newFolder() }));
    const folder = newFolder();
    await (await open({ folder })).close();
    const warm = await fastest(async () => (await open({ folder })).close());
    process.stdout.write(
      `embedded engine starts in ms: memory ${memory}, new folder ${fresh}, existing folder ${warm}\n`,
    );
    expect(Math.max(memory, fresh, warm)).toBeLessThan(4_000);
    expect(logged).toEqual([]);
  });

  it('the database has the settings that keep a process small and let it end', async () => {
    const { pool } = await open();
    const { rows } = await pool.query<{ name: string; setting: string }>(
      "SELECT name, setting FROM pg_settings WHERE name IN ('shared_buffers', 'log_startup_progress_interval') ORDER BY name",
    );
    // Shared buffers are counted in pages of 8 kB.
    expect(rows).toEqual([
      { name: 'log_startup_progress_interval', setting: '0' },
      { name: 'shared_buffers', setting: String((8 * 1024) / 8) },
    ]);
  });

  it('the folder keeps the data after the database was closed', async () => {
    const folder = newFolder();
    const first = await open({ folder });
    await first.pool.query("INSERT INTO meta VALUES ('queue', 'field', 'value')");
    await first.close();

    const { pool } = await open({ folder });
    expect((await pool.query('SELECT value FROM meta')).rows).toEqual([{ value: 'value' }]);
  });

  it('the folder keeps the data after kill -9', async () => {
    const folder = newFolder();
    await (await openElsewhere(folder, 'enqueue')).kill();

    const { pool } = await open({ folder });
    const { rows } = await pool.query("SELECT data FROM job WHERE queue = 'default' ORDER BY seq");
    expect(rows).toEqual(Array.from({ length: 20 }, (_, number) => ({ data: { number } })));
  });

  it('one folder serves several schemas, with any name', async () => {
    const folder = newFolder();
    for (const schema of ['Billing', 'tasks', 'Billing']) {
      const { pool, close } = await open({ folder, schema });
      expect((await pool.query('SELECT current_schema() AS name')).rows).toEqual([{ name: schema }]);
      expect((await pool.query('SELECT max(version) FROM migration')).rows).toEqual([{ max: LATEST_SCHEMA_VERSION }]);
      await close();
    }
  });

  it('two databases in memory share no data', async () => {
    const [one, other] = [await open(), await open()];
    await one.pool.query("INSERT INTO meta VALUES ('queue', 'field', 'value')");
    expect((await other.pool.query('SELECT * FROM meta')).rows).toEqual([]);
  });

  it('close() can be called twice, and the pool then refuses queries as a pool of pg does', async () => {
    const { pool, close } = await open({ folder: newFolder() });
    const last = pool.query('SELECT 1 AS one');
    const client = await pool.connect();
    await Promise.all([close(), close()]);
    await close();
    expect((await last).rows).toEqual([{ one: 1 }]);
    await expect(pool.query('SELECT 1')).rejects.toThrow('after calling end on the pool');
    await expect(client.query('SELECT 1')).rejects.toThrow('after calling end on the pool');
  });

  it('a new folder gets a .gitignore, and an existing folder gets none', async () => {
    const [made, found] = [newFolder(), newFolder()];
    mkdirSync(found);
    await open({ folder: made });
    await open({ folder: found });
    expect(readFileSync(join(made, '.gitignore'), 'utf8')).toBe('*\n');
    expect(existsSync(join(found, '.gitignore'))).toBe(false);
  });

  it('openEmbeddedDatabase initialises a database when the package contains none, and logs why that takes longer', async () => {
    logged.length = 0;
    const folder = newFolder();
    const first = await open({ folder, readPrepared: () => Promise.resolve(undefined) });
    expect(logged).toEqual([expect.stringContaining('lacks the prepared one')]);
    await first.close();
    await open({ folder });
    expect(logged).toHaveLength(1);
  }, 60_000);

  it('openEmbeddedDatabase initialises a database when the prepared one does not fit PGlite, and logs that', async () => {
    logged.length = 0;
    const { pool } = await open({ folder: newFolder(), readPrepared: unfitDatabase });
    expect(logged).toEqual([expect.stringMatching(/does not fit.*database files are incompatible with server/)]);
    expect((await pool.query('SELECT count(*) FROM job')).rows).toEqual([{ count: '0' }]);
  }, 60_000);

  it('a half-made database of a process that died during its first start is not used', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'database.partial'), { recursive: true });
    writeFileSync(join(folder, 'database.partial', 'PG_VERSION'), '18\n');
    await open({ folder });
  });

  it('a database of another PostgreSQL version is refused with an error that names it, and stays unharmed', async () => {
    const folder = newFolder();
    await (await open({ folder })).close();
    const version = join(folder, 'database', 'PG_VERSION');
    writeFileSync(version, '15\n');

    const refused = open({ folder });
    await expect(refused).rejects.toMatchObject({ name: 'ConfigurationError' });
    await expect(refused).rejects.toThrow(`The database in ${folder}, of PostgreSQL version 15, cannot be opened`);

    // The data is unharmed, and the lock is free.
    writeFileSync(version, '18\n');
    await open({ folder });
  });

  it('a folder that cannot be created is refused with an error that names the cure', async () => {
    const file = newFolder();
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
    const refused = open({ folder: join(file, 'below') });
    await expect(refused).rejects.toMatchObject({ name: 'ConfigurationError' });
    await expect(refused).rejects.toThrow(/cannot be used: .*pglite:<folder>/);
  });
});

describe('loadPGlite', () => {
  it('the error about a missing driver names the command that installs it', async () => {
    const missing = () =>
      Promise.reject(
        Object.assign(new Error("Cannot find package '@electric-sql/pglite'"), { code: 'ERR_MODULE_NOT_FOUND' }),
      );
    const refused = loadPGlite(missing);
    await expect(refused).rejects.toMatchObject({ name: 'ConfigurationError' });
    await expect(refused).rejects.toThrow(/npm install @electric-sql\/pglite.*TASK_QUEUE_URL/);
  });
});
