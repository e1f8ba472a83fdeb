import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { chain } from 'nestjs-task-queue';
import { boot } from '../../support/boot.js';
import { createDatabase, freePrefix } from '../../support/servers.js';
import { Payments, PAYMENT_OPTIONS, POINTS } from './killed-worker.tasks.js';

const root = join(import.meta.dirname, '../../..');
const loader = pathToFileURL(join(root, 'test/support/typescript-loader.js')).href;
const program = join(import.meta.dirname, 'killed-worker.program.ts');

// Each test starts a program and waits until the task of a dead worker is taken over, which takes long on a busy machine.
jest.setTimeout(120_000);

describe('a worker that is killed in a task with completeIn', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let admin: pg.Client;
  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    admin = new pg.Client(database.url);
    await admin.connect();
    await admin.query('CREATE TABLE effects (prefix text)');
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
  });

  it.each(POINTS)(
    '%s leaves both effect and success or neither, and the effect is never there twice',
    async (point) => {
      const prefix = freePrefix();
      const effects = async () => (await admin.query('SELECT FROM effects WHERE prefix = $1', [prefix])).rows.length;
      const options = { connection: database.url, prefix, ...PAYMENT_OPTIONS };
      const web = await boot({ ...options, role: 'producer' }, [Payments]);
      const payments = web.queue.of(Payments);
      const handle = await payments.pay.enqueue(database.url, prefix, point);

      const child = spawn(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', '--import', loader, program, database.url, prefix],
        { env: { ...process.env, NODE_OPTIONS: '' }, stdio: 'ignore' },
      );
      const [, signal] = (await once(child, 'exit')) as [number | null, string];
      expect(signal).toBe('SIGKILL');
      const before = await effects();
      const { state } = await handle.status();
      // The server may need a moment until it notices that the connection of the dead process is gone.
      expect([before, state === 'succeeded']).toEqual(before === 1 ? [1, true] : [0, false]);
      expect(before).toBe(point === 'after COMMIT' || point === 'after the end' ? 1 : 0);

      const worker = await boot(options, [Payments]);
      expect(await handle.result({ timeout: '60s' })).toBe('completed');
      // The end is stored, too.
      const stored = async () =>
        (await admin.query(`SELECT state FROM ${prefix}.job WHERE id = $1`, [handle.id])).rows[0]?.state as string;
      while ((await stored()) !== 'completed') await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await effects()).toBe(1);
      await worker.app.close();
      await web.app.close();
    },
  );

  it('in a workflow, the next step runs', async () => {
    const prefix = freePrefix();
    const options = { connection: database.url, prefix, ...PAYMENT_OPTIONS };
    const web = await boot({ ...options, role: 'producer' }, [Payments]);
    const payments = web.queue.of(Payments);
    const handle = await chain(
      payments.pay.signature(database.url, prefix, 'after COMMIT'),
      payments.after.signature(),
    ).enqueue();
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--import', loader, program, database.url, prefix],
      { env: { ...process.env, NODE_OPTIONS: '' }, stdio: 'ignore' },
    );
    await once(child, 'exit');
    const worker = await boot(options, [Payments]);
    expect(await handle.result({ timeout: '60s' })).toBe('after completed');
    expect((await admin.query('SELECT FROM effects WHERE prefix = $1', [prefix])).rows).toHaveLength(1);
    await worker.app.close();
    await web.app.close();
  });
});
