import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import {
  chain,
  InjectTasks,
  Task,
  TaskAdmin,
  type TaskBatch,
  TaskContext,
  type TaskHandle,
  type TaskQueueOptions,
  type Tasks,
  TaskSchedules,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { Gate } from '../support/gate.js';
import { startPostgres, startRedis, type Server } from '../support/servers.js';
import { until } from '../support/until.js';
import { lockPostgresTables, refuseRedisWrites } from './support/refusals.js';

@Injectable()
class Work {
  static runs = 0;
  static started = new Gate();
  static gate = new Gate();

  constructor(
    private readonly task: TaskContext,
    @InjectTasks(Work) private readonly work: Tasks<Work>,
  ) {}

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
  async fail(): Promise<string> {
    await this.pay();
    throw new Error('declined');
  }

  /** Fails in its first run. */
  @Task({ retries: 1, backoff: { type: 'fixed', delay: 1 } })
  async again(): Promise<string> {
    const end = await this.pay();
    if (Work.runs === 1) throw new Error('once');
    return end;
  }

  /** Is put back in its first run. */
  @Task()
  async snooze(): Promise<string> {
    const end = await this.pay();
    if (Work.runs === 1) this.task.retry({ in: 1 });
    return end;
  }

  /** Waits for a member. */
  @Task()
  async become(): Promise<string> {
    await this.pay();
    return this.task.replaceWith(chain(this.work.other.signature(), this.work.paid.signature().immutable()));
  }

  @Task()
  async paid(): Promise<string> {
    return 'paid';
  }

  @Task({ queue: 'rows', batch: { size: 10, wait: '1ms' } })
  async inBatch(calls: TaskBatch<[]>): Promise<string[]> {
    const end = await this.pay();
    return calls.map(() => end);
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

type Name = 'pay' | 'payOnce' | 'fail' | 'again' | 'snooze' | 'become' | 'inBatch';
type End = readonly [task: Name, end: string, runs: number];
const ENDS: readonly End[] = [
  ['pay', 'paid', 1],
  ['payOnce', 'paid', 1],
  ['fail', 'declined', 1],
];
/** Ends that are stored in other ways. One refusal shows them all. */
const MORE_ENDS: readonly End[] = [
  ['again', 'paid', 2],
  ['snooze', 'paid', 2],
  ['become', 'paid', 1],
  ['inBatch', 'paid', 1],
];

/** How a task ended: its result, or the message of its error. */
async function endOf(task: Name, meanwhile: () => Promise<void>): Promise<{ end: string; runs: number }> {
  const handle: TaskHandle = await (work[task] as Tasks<Work>['pay']).enqueue();
  await Work.started.opened;
  const refused = meanwhile();
  const end = handle.result({ timeout: '15s' }).catch((error: Error) => error.message);
  await refused;
  return { end: (await end) as string, runs: Work.runs };
}

describe.each(['NOREPLICAS', 'OOM', 'NOPERM', 'READONLY', 'BUSY', 'MISCONF'] as const)(
  'a Redis that refuses writes with %s',
  (kind) => {
    const ends = kind === 'NOREPLICAS' ? [...ENDS, ...MORE_ENDS] : ENDS;

    it.each(ends)(
      'has the end of the task %s as it was, after the runs that it needs',
      async (task, expected, needs) => {
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
        expect(runs).toBe(needs);
      },
    );
  },
);

/** Settings of a database that make its statements fail while another transaction holds the table of jobs. */
const TIMEOUTS = [['lock_timeout'], ['statement_timeout']];

describe.each(TIMEOUTS)('a PostgreSQL with %s, whose table is locked', (setting) => {
  const ends = setting === 'lock_timeout' ? [...ENDS, ...MORE_ENDS] : ENDS;

  it.each(ends)('has the end of the task %s as it was, after the runs that it needs', async (task, expected, needs) => {
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
    expect(runs).toBe(needs);
  });
});

describe.each([
  ['Redis', startRedis, (at: Server) => refuseRedisWrites(at, 'NOREPLICAS')],
  ['PostgreSQL', startPostgres, (at: Server) => lockPostgresTables(at, 'refused')],
] as const)('a %s that takes no writes', (_, startServer, refuse) => {
  it('is an outage for every call that writes, and for none that failed does a task run later', async () => {
    server = await startServer();
    // A lock of PostgreSQL is one that a statement waits for.
    const options = server.url.startsWith('postgres') ? { options: '-c lock_timeout=300ms' } : {};
    await start({ connection: 'options' in options ? { connectionString: server.url, ...options } : server.url });
    Work.gate.open();
    const delayed = await work.pay.with({ delay: '1h' }).enqueue();
    const failed = await work.fail.enqueue();
    await failed.result({ timeout: '10s' }).catch(() => undefined);
    const before = Work.runs;
    const [admin, schedules] = [booted.app.get(TaskAdmin), booted.app.get(TaskSchedules)];
    const calls: Record<string, () => Promise<unknown>> = {
      enqueue: () => work.pay.enqueue(),
      enqueueMany: () => work.pay.enqueueMany([[], []]),
      'a key': () => work.pay.with({ idempotencyKey: 'x' }).enqueue(),
      'a workflow': () => chain(work.pay.signature(), work.paid.signature().immutable()).enqueue(),
      cancel: () => delayed.cancel(),
      retry: () => failed.retry(),
      forget: () => failed.forget(),
      promote: () => admin.promote(delayed.id),
      update: () => admin.update(delayed.id, { delay: '2h' }),
      purge: () => admin.purge('default'),
    };
    // BullMQ keeps these in other tables than the jobs.
    if (server.url.startsWith('redis')) {
      calls['upsert'] = () => schedules.upsert('x', { task: 'Work.pay', every: '1h' });
      calls['pause'] = () => admin.pause('default');
    }
    const allow = await refuse(server);
    const ends = await Promise.allSettled(Object.values(calls).map((call) => call()));
    await allow();
    const codes = ends.map((end, index) => [
      Object.keys(calls)[index],
      end.status === 'rejected' ? (end.reason as { code?: string }).code : 'stored',
    ]);
    expect(codes).toEqual(Object.keys(calls).map((name) => [name, 'ENGINE_UNAVAILABLE']));
    expect(await (await work.pay.enqueue()).result({ timeout: '15s' })).toBe('paid');
    expect(Work.runs).toBe(before + 1);
    expect((await delayed.status()).state).toBe('scheduled');
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
