import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { Task, TaskContext, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { REFUSED, STORED, THROWN } from '../../support/hostile-values.js';
import { createDatabase } from '../../support/servers.js';

let url = '';

@Injectable()
class Payments {
  static refusals: string[] = [];

  constructor(private readonly task: TaskContext) {}

  /** Stores what the names stand for, until the store takes one. */
  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async pay(whats: string[], then: string): Promise<string> {
    const client = new pg.Client(url);
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('INSERT INTO effects DEFAULT VALUES');
      for (const what of whats) {
        const value = (STORED[what] ?? REFUSED[what])![0]();
        const refusal = await this.task.completeIn(client, value).then(
          () => undefined,
          (error: Error) => error.message,
        );
        if (refusal === undefined) break;
        Payments.refusals.push(refusal);
      }
      await client.query('COMMIT');
    } finally {
      await client.end();
    }
    if (then in THROWN) throw THROWN[then]![0]();
    return 'returned';
  }
}

describe('the value that completeIn() stores', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let booted: Booted;
  let payments: Tasks<Payments>;
  let admin: pg.Client;

  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    ({ url } = database);
    admin = new pg.Client(url);
    await admin.connect();
    await admin.query('CREATE TABLE effects (id serial)');
    booted = await boot({ connection: url, abandonedAfter: '30s', queues: { default: { concurrency: 20 } } }, [
      Payments,
    ]);
    payments = booted.queue.of(Payments);
  }, 60_000);
  afterAll(async () => {
    await booted.app.close();
    await admin.end();
    await database.drop();
  });

  const effects = async () => Number((await admin.query('SELECT count(*) FROM effects')).rows[0].count);

  it('is refused as a result is, and leaves the transaction usable for another one', async () => {
    Payments.refusals = [];
    const handle = await payments.pay.enqueue([...Object.keys(REFUSED), 'a Date'], '');
    expect(await handle.result({ timeout: '30s' })).toBe(STORED['a Date']![1]);
    expect(Payments.refusals).toEqual(Object.values(REFUSED).map(([, says]) => expect.stringMatching(says) as unknown));
    expect(await effects()).toBe(1);
  }, 60_000);

  it('is the result, whatever the method throws after the commit', async () => {
    const before = await effects();
    const calls = Object.keys(THROWN).map((then, n): [string[], string] => {
      const names = Object.keys(STORED);
      return [[names[n % names.length]!], then];
    });
    const handles = await payments.pay.enqueueMany(calls);
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '30s' })));
    expect(results).toEqual(calls.map(([[what]]) => STORED[what!]![1]));
    expect(await effects()).toBe(before + calls.length);
  }, 60_000);
});
