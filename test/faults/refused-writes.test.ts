import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { Task, type TaskHandle, type TaskQueueOptions, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { Gate } from '../support/gate.js';
import { startPostgres, startRedis, type Server } from '../support/servers.js';
import { until } from '../support/until.js';
import { refuseRedisWrites } from './support/refusals.js';

@Injectable()
class Work {
  static runs = 0;
  static started = new Gate();
  static gate = new Gate();

  @Task()
  async pay(): Promise<string> {
    Work.runs++;
    Work.started.open();
    await Work.gate.opened;
    return 'paid';
  }

  @Task({ delivery: 'at-most-once' })
  async payOnce(): Promise<string> {
    return this.pay();
  }

  @Task()
  async other(): Promise<void> {}

  @Task()
  async fail(): Promise<void> {
    await this.pay();
    throw new Error('declined');
  }
}

let booted: Booted;
let server: Server;
let work: Tasks<Work>;

async function start(options: TaskQueueOptions): Promise<void> {
  booted = await boot({ prefix: 'refused', enqueueTimeout: '1s', abandonedAfter: '20s', ...options }, [Work]);
  work = booted.queue.of(Work);
  Work.runs = 0;
  Work.started = new Gate();
  Work.gate = new Gate();
}

afterEach(async () => {
  await booted.app.close();
  await server.close();
});

type End = readonly [task: 'pay' | 'payOnce' | 'fail', end: string];
const ENDS: readonly End[] = [
  ['pay', 'paid'],
  ['payOnce', 'paid'],
  ['fail', 'declined'],
];

/** How a task ended: its result, or the message of its error. */
async function endOf(task: End[0], meanwhile: () => Promise<void>): Promise<{ end: string; runs: number }> {
  const handle: TaskHandle = await (task === 'fail' ? work.fail.enqueue() : work[task].enqueue());
  await Work.started.opened;
  const refused = meanwhile();
  const end = handle.result({ timeout: '15s' }).catch((error: Error) => error.message);
  await refused;
  return { end: (await end) as string, runs: Work.runs };
}

describe.each(['NOREPLICAS', 'OOM', 'NOPERM'] as const)('a Redis that refuses writes with %s', (kind) => {
  it.each(ENDS)('has the end of the task %s as it was, after one run', async (task, expected) => {
    server = await startRedis();
    await start({ connection: server.url });
    const { end, runs } = await endOf(task, async () => {
      const allow = await refuseRedisWrites(server, kind);
      // While the server refuses writes, the task ends, and a call fails in time.
      Work.gate.open();
      await expect(work.other.enqueue()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
      await allow();
    });
    expect(end).toContain(expected);
    expect(runs).toBe(1);
  });
});

/** Settings of a database that make its statements fail while another transaction holds the table of jobs. */
const TIMEOUTS = [['lock_timeout'], ['statement_timeout']];

describe.each(TIMEOUTS)('a PostgreSQL with %s, whose table is locked', (setting) => {
  it.each(ENDS)('has the end of the task %s as it was, after one run', async (task, expected) => {
    server = await startPostgres();
    const admin = new pg.Client(server.url);
    await admin.connect();
    await start({ connection: { connectionString: server.url, options: `-c ${setting}=300ms` } });
    const { end, runs } = await endOf(task, async () => {
      await admin.query('BEGIN; LOCK TABLE refused.job IN ACCESS EXCLUSIVE MODE');
      Work.gate.open();
      await expect(work.other.enqueue()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
      await admin.query('COMMIT');
    });
    await admin.end();
    expect(end).toContain(expected);
    expect(runs).toBe(1);
  });
});

describe('a PostgreSQL that became read-only', () => {
  it('is an outage for calls, and its connections are replaced once it takes writes again', async () => {
    server = await startPostgres();
    const admin = new pg.Client(server.url);
    await admin.connect();
    await start({ connection: server.url });
    Work.gate.open();
    await (await work.pay.enqueue()).result({ timeout: '10s' });
    await admin.query('ALTER SYSTEM SET default_transaction_read_only = on');
    await admin.query('SELECT pg_reload_conf()');
    // Each process of the server reads the setting at a moment of its own, so the first calls may still be stored.
    const refusal = () =>
      work.pay.enqueue().then(
        () => undefined,
        (error: unknown) => error,
      );
    let refused: unknown;
    await until(async () => (refused = await refusal()) !== undefined, 'the server refuses writes');
    expect(refused).toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await admin.query('SET default_transaction_read_only = off');
    await admin.query('ALTER SYSTEM RESET default_transaction_read_only');
    await admin.query('SELECT pg_reload_conf()');
    await admin.end();
    let handle: TaskHandle<string> | undefined;
    const accepted = async () => (handle = await work.pay.enqueue().catch(() => undefined)) !== undefined;
    await until(accepted, 'the server takes writes again', 5_000);
    await expect(handle!.result({ timeout: '15s' })).resolves.toBe('paid');
  });
});
