import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { TaskQueueOptions } from 'nestjs-task-queue';
import { tableStatements } from '../../lib/transactions/outbox/outbox-table.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { childEnvironment, childrenStoreIn } from '../support/isolated-children.js';
import { SHOP_PROVIDERS, shopOptions, type Ending } from '../support/isolated-shop.js';
import { LogLines } from '../support/log-lines.js';
import { createDatabase, freePrefix } from '../support/servers.js';
import { until } from '../support/until.js';

/** Isolated tasks that use the database of the application, hear events and act on tasks. */

const app = fileURLToPath(new URL('../support/isolated-shop.ts', import.meta.url));
childEnvironment();

let folder: string;
let journal: string;
let database: Awaited<ReturnType<typeof createDatabase>>;
let client: pg.Client;
let nextOrder = 1;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isolation-shop-'));
  journal = join(folder, 'journal');
  database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  client = new pg.Client(database.url);
  await client.connect();
  await client.query('CREATE TABLE orders (id integer)');
  for (const statement of tableStatements('postgres')) await client.query(statement);
  process.env['JOURNAL'] = journal;
  process.env['SHOP_DATABASE'] = database.url;
});
afterAll(async () => {
  await client.end();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => writeFileSync(journal, ''));

/** The lines of the journal that begin with these words. */
const lines = (words: string) =>
  readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${words} `));
const stored = async (order: number) => (await client.query('SELECT FROM orders WHERE id = $1', [order])).rows.length;

let booted: Booted | undefined;
let logger: LogLines;
const start = async (options: TaskQueueOptions & { readonly connection: string }) => {
  logger = new LogLines();
  childrenStoreIn(options);
  booted = await boot(
    { isolation: { app, processes: 2 }, ...shopOptions(process.env), ...options },
    SHOP_PROVIDERS,
    logger,
  );
};
afterEach(async () => {
  await booted?.app.close();
  booted = undefined;
  delete process.env['SHOP_OUTBOX'];
});
const run = async (name: string, ...args: unknown[]): Promise<unknown> =>
  (await (booted as Booted).queue.of(name).enqueue(...args)).result({ timeout: '40s' });
const order = async (ending: Ending) => ({
  number: nextOrder,
  result: await run('payments.order', nextOrder++, ending),
});

describe('in a transaction of the database that contains the tasks', () => {
  beforeEach(() => start({ connection: database.url, prefix: 'tasks', abandonedAfter: '2s' }), 60_000);

  it('calls with .in(tx) exist after the commit, and only then', async () => {
    const { number, result } = await order('commit');
    const ids = (result as string).split(' ');
    const results = await Promise.all(ids.map((id) => (booted as Booted).queue.handle(id).result({ timeout: '10s' })));
    expect(results).toEqual([number, number, number, 3]);
    expect(await stored(number)).toBe(1);
    const rolledBack = await order('rollback');
    expect(await stored(rolledBack.number)).toBe(0);
    for (const id of (rolledBack.result as string).split(' '))
      await expect(booted?.queue.handle(id).status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  }, 90_000);

  it('calls outside of a transaction are refused as in any process', async () => {
    await expect(order('without BEGIN')).rejects.toMatchObject({
      cause: { name: 'ConfigurationError', message: expect.stringMatching(/transaction/) },
    });
  }, 90_000);

  it('completeIn() stores the success with the effect', async () => {
    const number = nextOrder++;
    expect(await run('payments.pay', number, 'commit')).toBe(`completed ${number}`);
    expect(await stored(number)).toBe(1);
  }, 90_000);

  it('a rollback stores neither, and an error after the commit changes nothing', async () => {
    const number = nextOrder++;
    expect(await run('payments.pay', number, 'rollback')).toBe('returned');
    expect(await stored(number)).toBe(0);
    expect(await run('payments.pay', number, 'commit and throw')).toBe(`completed ${number}`);
    expect(await stored(number)).toBe(1);
    expect(lines(`pay ${number}`)).toHaveLength(2);
  }, 90_000);

  it('a child that dies after its commit is not run again', async () => {
    // Another child is there to take the task at once.
    await Promise.all([run('payments.meets'), run('payments.meets')]);
    const number = nextOrder++;
    expect(await run('payments.pay', number, 'commit and exit')).toBe(`completed ${number}`);
    expect(await stored(number)).toBe(1);
    expect(lines(`pay ${number}`)).toHaveLength(1);
    expect(logger.lines.filter((line) => line.includes('runs once more'))).toEqual([]);
  }, 90_000);

  it('a child that dies before its commit is run again, and the effect of its transaction is gone', async () => {
    const number = nextOrder++;
    await expect(run('payments.pay', number, 'exit')).rejects.toMatchObject({ cause: { code: 'WORKER_LOST' } });
    expect(await stored(number)).toBe(0);
    expect(lines(`pay ${number}`).length).toBeGreaterThan(1);
  }, 90_000);
});

it('calls with .in(tx) of an isolated task go to the outbox, which the parent moves', async () => {
  // The children inherit it.
  process.env['SHOP_OUTBOX'] = database.url;
  await start({ connection: process.env['TEST_REDIS_URL'] as string, prefix: freePrefix() });
  const { number, result } = await order('commit');
  const handles = (result as string).split(' ').map((id) => (booted as Booted).queue.handle(id));
  await until(() =>
    Promise.all(handles.map((handle) => handle.status())).then(
      () => true,
      () => false,
    ),
  );
  const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '25s' })));
  expect(results).toEqual([number, number, number, 3]);
  const rolledBack = await order('rollback');
  expect(await stored(rolledBack.number)).toBe(0);
}, 60_000);

describeEachEngine('an isolated task', (engine) => {
  let shop: Booted;
  const runHere = async (name: string, ...args: unknown[]): Promise<unknown> =>
    (await shop.queue.of(name).enqueue(...args)).result({ timeout: '40s' });

  beforeAll(async () => {
    const place = await engine.place();
    childrenStoreIn(place);
    shop = await boot({ ...place, ...shopOptions({}), isolation: { app, processes: 1 } }, SHOP_PROVIDERS);
  }, 60_000);
  afterAll(() => shop.app.close());

  it('gets the error and the cure when it needs the database of the tasks, or an outbox', async () => {
    // The memory engine stores calls in any transaction at once.
    if (engine.name !== 'memory') {
      await expect(runHere('payments.order', nextOrder++, 'commit')).rejects.toMatchObject({
        cause: { name: 'ConfigurationError', message: expect.stringContaining('outbox') },
      });
    }
    await expect(runHere('payments.pay', nextOrder++, 'commit')).rejects.toMatchObject({
      cause: { name: 'ConfigurationError', message: expect.stringContaining('completeIn') },
    });
  }, 60_000);

  it('cannot enqueue more than the bound of a queue allows', async () => {
    expect(await runHere('payments.fills')).toBe('full');
  }, 60_000);

  it('acts on other tasks, and listeners hear of each event once, in the parent', async () => {
    expect(await runHere('payments.acts')).toEqual({
      ...{
        cancelled: 'cancelled',
        reason: expect.stringContaining('no address'),
        listed: 1,
        attempts: expect.anything(),
      },
      ...{ retried: 1, ran: 9, schedules: ['monthly'], errors: 1, tasks: 1, lines: 0, counted: true },
      ...{ queues: true, workers: 1, state: 'cancelled' },
    });
    const events = () => lines('event');
    await until(() => events().some((line) => line.includes('succeeded payments.acts')));
    await until(() => events().some((line) => line.includes('succeeded mail.send')));
    expect(new Set(events().map((line) => line.split(' ')[1]))).toEqual(new Set([`${process.pid}`]));
    const [once, ofEnqueued] = ['cancelled mail.send', 'enqueued mail.fail'].map((event) =>
      events().filter((line) => line.includes(event)),
    );
    expect(once).toHaveLength(1);
    expect(ofEnqueued).toHaveLength(1);
  }, 60_000);
});
