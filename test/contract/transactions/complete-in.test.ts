import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { chain, ConfigurationError, Task, TaskContext, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { createDatabase } from '../../support/servers.js';
import { describeEachEngine } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';
import { Recorder } from '../../support/recorder.js';
import { until } from '../../support/until.js';

type Step = (client: pg.Client) => Promise<unknown>;

/** What the next runs of a task do, each with a client of its own. */
let runs: Step[] = [];
let url = '';
const errors: unknown[] = [];

@Injectable()
class Payments {
  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 3, backoff: { type: 'fixed', delay: 10 } })
  async pay(order: number): Promise<string> {
    return this.run(order);
  }

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 10 }, timeout: '300ms' })
  async payInTime(order: number): Promise<string> {
    return this.run(order);
  }

  private async run(order: number): Promise<string> {
    const client = new pg.Client(url);
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('INSERT INTO effects (order_id) VALUES ($1)', [order]);
      const step = runs.shift();
      await (step ? step.call(undefined, client) : this.complete(client));
      return 'returned';
    } catch (error) {
      errors.push(error);
      throw error;
    } finally {
      await client.end();
    }
  }

  async complete(client: pg.Client, result: unknown = 'completed'): Promise<void> {
    await this.task.completeIn(client, result);
    await client.query('COMMIT');
  }

  /** Resolves once the time limit of the attempt has ended it. */
  async timeIsOver(): Promise<void> {
    const { signal } = this.task;
    if (!signal.aborted) await once(signal, 'abort');
  }

  completeIn(client: pg.Client, result?: unknown): Promise<void> {
    return this.task.completeIn(client, result);
  }

  @Task()
  async after(result: string): Promise<string> {
    return `after ${result}`;
  }

  @Task()
  async quick(number: number): Promise<number> {
    return number;
  }
}

describe('completeIn', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let booted: Booted;
  let payments: Tasks<Payments>;
  let self: Payments;
  let admin: pg.Client;
  let next = 1;

  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    ({ url } = database);
    admin = new pg.Client(url);
    await admin.connect();
    await admin.query('CREATE TABLE effects (order_id integer)');
    booted = await boot({ connection: url, abandonedAfter: '2s', queues: { default: { concurrency: 60 } } }, [
      Payments,
    ]);
    payments = booted.queue.of(Payments);
    self = booted.app.get(Payments);
  });
  afterAll(async () => {
    await booted.app.close();
    await admin.end();
    await database.drop();
  });
  beforeEach(() => {
    runs = [];
    errors.length = 0;
  });

  /** How often the effect of an order is there. */
  const effects = async (order: number) =>
    (await admin.query('SELECT FROM effects WHERE order_id = $1', [order])).rows.length;
  const completions = async () => (await admin.query('SELECT * FROM tasks.task_queue_completion')).rows.length;

  it('stores the success with the effect, and leaves nothing behind', async () => {
    const order = next++;
    const handle = await payments.pay.enqueue(order);
    expect(await handle.result({ timeout: '10s' })).toBe('completed');
    expect(await effects(order)).toBe(1);
    while ((await completions()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it('an error after the commit changes nothing', async () => {
    const order = next++;
    runs = [
      async (client) => {
        await self.complete(client);
        throw new Error('after the commit');
      },
    ];
    const handle = await payments.pay.enqueue(order);
    expect(await handle.result({ timeout: '10s' })).toBe('completed');
    expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(await effects(order)).toBe(1);
  });

  it('after a rollback the attempt goes on, and the method may be called again', async () => {
    const order = next++;
    runs = [
      async (client) => {
        await self.completeIn(client, 'first');
        await client.query('ROLLBACK');
        await client.query('BEGIN');
        await client.query('INSERT INTO effects (order_id) VALUES ($1)', [order]);
        await self.complete(client, 'second');
      },
    ];
    expect(await (await payments.pay.enqueue(order)).result({ timeout: '10s' })).toBe('second');
    expect(await effects(order)).toBe(1);
  });

  it('without a commit, the attempt ends as its method does', async () => {
    const order = next++;
    runs = [
      async (client) => {
        await self.completeIn(client, 'never');
        await client.query('ROLLBACK');
      },
    ];
    expect(await (await payments.pay.enqueue(order)).result({ timeout: '10s' })).toBe('returned');
    expect(await effects(order)).toBe(0);
  });

  it('an attempt that fails before the commit is retried, and the effect is there once', async () => {
    const order = next++;
    runs = [
      async () => {
        throw new Error('before completeIn');
      },
      async (client) => {
        await self.completeIn(client);
        throw new Error('before the commit');
      },
    ];
    const handle = await payments.pay.enqueue(order);
    expect(await handle.result({ timeout: '10s' })).toBe('completed');
    expect((await handle.status()).attempt).toBe(3);
    expect(await effects(order)).toBe(1);
  });

  it('a savepoint that is rolled back takes the success along', async () => {
    const order = next++;
    runs = [
      async (client) => {
        await client.query('SAVEPOINT inner_one');
        await self.completeIn(client, 'first');
        await client.query('ROLLBACK TO SAVEPOINT inner_one');
        await self.complete(client, 'second');
      },
    ];
    expect(await (await payments.pay.enqueue(order)).result({ timeout: '10s' })).toBe('second');
    runs = [
      async (client) => {
        await client.query('SAVEPOINT inner_one');
        await self.completeIn(client, 'never');
        await client.query('ROLLBACK TO SAVEPOINT inner_one');
        await client.query('COMMIT');
      },
    ];
    expect(await (await payments.pay.enqueue(order)).result({ timeout: '10s' })).toBe('returned');
    runs = [
      async (client) => {
        await client.query('SAVEPOINT inner_one');
        await self.completeIn(client, 'kept');
        await client.query('RELEASE SAVEPOINT inner_one');
        await client.query('COMMIT');
      },
    ];
    expect(await (await payments.pay.enqueue(order)).result({ timeout: '10s' })).toBe('kept');
    expect(await effects(order)).toBe(3);
    expect(errors).toEqual([]);
  });

  it.each(['REPEATABLE READ', 'SERIALIZABLE'])('works in a transaction that is %s', async (isolation) => {
    const order = next++;
    runs = [
      async (client) => {
        await client.query(`ROLLBACK; BEGIN ISOLATION LEVEL ${isolation}`);
        await client.query('INSERT INTO effects (order_id) VALUES ($1)', [order]);
        // Other tasks of this process, and of the same queue, end meanwhile.
        await (await payments.quick.enqueue(1)).result({ timeout: '10s' });
        await self.complete(client);
      },
    ];
    const handle = await payments.pay.enqueue(order);
    expect(await handle.result({ timeout: '10s' })).toBe('completed');
    // A renewal of the lock may have come in between: then the next attempt has stored it.
    expect(await effects(order)).toBe(1);
  });

  it.each(['REPEATABLE READ', 'SERIALIZABLE'])(
    'a transaction that is %s and older than the renewal of its lock is a serialization failure, and runs again',
    async (isolation) => {
      const order = next++;
      const lock = async (id: string) =>
        (await admin.query<{ locked_until_ms: string }>('SELECT locked_until_ms FROM tasks.job WHERE id = $1', [id]))
          .rows[0]?.locked_until_ms;
      const enqueued = new Recorder<string>();
      runs = [
        async (client) => {
          const [id = ''] = await enqueued.until((ids) => ids.length > 0);
          const begin = async () => {
            await client.query(`ROLLBACK; BEGIN ISOLATION LEVEL ${isolation}`);
            // From here on the transaction sees the row of the job as it is now.
            await client.query('INSERT INTO effects (order_id) VALUES ($1)', [order]);
          };
          await begin();
          const before = await lock(id);
          await until(async () => (await lock(id)) !== before, 'the lock is renewed');
          await expect(self.complete(client)).rejects.toMatchObject({ code: '40001' });
          expect(await effects(order)).toBe(0);
          await begin();
          await self.complete(client);
        },
      ];
      const handle = await payments.pay.enqueue(order);
      enqueued.record(handle.id);
      expect(await handle.result({ timeout: '15s' })).toBe('completed');
      expect((await handle.status()).attempt).toBe(1);
      expect(await effects(order)).toBe(1);
    },
  );

  it('a connection that breaks before the commit leaves neither effect nor success, and the next attempt both', async () => {
    const order = next++;
    runs = [
      async (client) => {
        await self.completeIn(client, 'lost');
        await admin.query('SELECT pg_terminate_backend($1)', [(client as unknown as { processID: number }).processID]);
        await client.query('COMMIT');
      },
    ];
    const handle = await payments.pay.enqueue(order);
    expect(await handle.result({ timeout: '10s' })).toBe('completed');
    expect((await handle.status()).attempt).toBe(2);
    expect(await effects(order)).toBe(1);
  });

  it('a connection that breaks between the commit and its answer changes nothing', async () => {
    const order = next++;
    runs = [
      async (client) => {
        await self.completeIn(client, 'committed');
        await client.query('COMMIT; SELECT pg_terminate_backend(pg_backend_pid())');
      },
    ];
    const handle = await payments.pay.enqueue(order);
    expect(await handle.result({ timeout: '10s' })).toBe('committed');
    expect((await handle.status()).attempt).toBe(1);
    expect(errors).toHaveLength(1);
    expect(await effects(order)).toBe(1);
  });

  it('a second call in a transaction is an error that leaves the transaction usable', async () => {
    const order = next++;
    runs = [
      async (client) => {
        await self.completeIn(client, 'once');
        await expect(self.completeIn(client, 'twice')).rejects.toThrow('is stored already');
        await client.query('COMMIT');
      },
    ];
    expect(await (await payments.pay.enqueue(order)).result({ timeout: '10s' })).toBe('once');
    expect(await effects(order)).toBe(1);
  });

  it('an attempt that is over its time and commits nevertheless counts, and nothing runs again', async () => {
    const order = next++;
    runs = [
      async (client) => {
        await self.completeIn(client, 'late');
        await self.timeIsOver();
        await client.query('COMMIT');
      },
    ];
    const handle = await payments.payInTime.enqueue(order);
    expect(await handle.result({ timeout: '10s' })).toBe('late');
    expect(await effects(order)).toBe(1);
    expect(runs).toEqual([]);
  });

  it('a transaction that calls it after its attempt has ended is refused', async () => {
    const order = next++;
    const late = new Gate();
    const refused = new Gate();
    runs = [
      async (client) => {
        await late.opened;
        await self.completeIn(client, 'too late').catch((error: unknown) => errors.push(error));
        await client.query('COMMIT').catch((error: unknown) => errors.push(error));
        refused.open();
      },
    ];
    const handle = await payments.payInTime.enqueue(order);
    expect(await handle.result({ timeout: '10s' })).toBe('completed');
    late.open();
    await refused.opened;
    expect(errors.map(String).join()).toContain('has ended, or another worker has the task');
  });

  it('cancelling a task whose success is committed changes nothing', async () => {
    const order = next++;
    const committed = new Gate();
    const cancelled = new Gate();
    runs = [
      async (client) => {
        await self.complete(client);
        committed.open();
        await cancelled.opened;
      },
    ];
    const handle = await payments.pay.enqueue(order);
    await committed.opened;
    // The success is there although the method still runs.
    expect(await handle.status()).toMatchObject({ state: 'succeeded', result: 'completed' });
    await handle.cancel();
    cancelled.open();
    expect(await handle.result({ timeout: '10s' })).toBe('completed');
    expect(await effects(order)).toBe(1);
  });

  it('the steps of a workflow go on', async () => {
    const order = next++;
    const handle = await chain(payments.pay.signature(order), payments.after.signature()).enqueue();
    expect(await handle.result({ timeout: '10s' })).toBe('after completed');
  });

  it('50 tasks run on beside an open transaction, which is refused after abandonedAfter', async () => {
    const order = next++;
    const open = new Gate();
    const opened = new Gate();
    runs = [
      async (client) => {
        await self.completeIn(client, 'abandoned');
        opened.open();
        await open.opened;
        await client.query('COMMIT');
      },
    ];
    const handle = await payments.pay.enqueue(order);
    await opened.opened;
    const began = performance.now();
    let others = 0;
    while (performance.now() - began < 6_500) {
      const handles = await payments.quick.enqueueMany(Array.from({ length: 50 }, (_, index) => [index]));
      await Promise.all(handles.map((one) => one.result({ timeout: '5s' })));
      others += handles.length;
      for (const one of handles.slice(0, 3)) expect((await one.status()).attempt).toBe(1);
    }
    expect(others).toBeGreaterThan(100);
    expect((await handle.status()).state).toBe('running');
    open.open();
    // The first attempt was refused at its commit, and the next one has stored the effect.
    expect(await handle.result({ timeout: '15s' })).toBe('completed');
    expect(await effects(order)).toBe(1);
    expect(errors.map(String).join()).toContain('open for longer than abandonedAfter');
  });

  it('a transaction of another database is a ConfigurationError', async () => {
    const other = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    const elsewhere = new pg.Client(other.url);
    await elsewhere.connect();
    await elsewhere.query('BEGIN');
    const order = next++;
    runs = [
      async (client) => {
        await expect(self.completeIn(elsewhere)).rejects.toThrow(ConfigurationError);
        await self.complete(client);
      },
    ];
    expect(await (await payments.pay.enqueue(order)).result({ timeout: '10s' })).toBe('completed');
    await elsewhere.end();
    await other.drop();
  });
});

@Injectable()
class Elsewhere {
  constructor(private readonly task: TaskContext) {}

  @Task()
  async complete(): Promise<string> {
    const transaction = { dialect: 'postgres' as const, query: async () => [] };
    const error: unknown = await this.task.completeIn(transaction, 1).catch((reason: unknown) => reason);
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

describeEachEngine('completeIn', (engine) => {
  it('is a ConfigurationError where the transaction is no one of the database of the tasks', async () => {
    const { app, queue } = await boot(await engine.place(), [Elsewhere]);
    const handle = await queue.of(Elsewhere).complete.enqueue();
    if (engine.name === 'postgres') await expect(handle.result({ timeout: '20s' })).resolves.toContain('Error');
    else expect(await handle.result({ timeout: '20s' })).toContain('ConfigurationError: completeIn() needs');
    await app.close();
  }, 90_000);
});
