import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue, QueueEvents } from 'bullmq';
import { chord, Task, TaskContext, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import { Lane } from '../../../lib/engine/bullmq/postgres/lane/lane.js';
import { LANE, type LaneRow } from '../../../lib/engine/bullmq/postgres/lane/lane-statement.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachPostgres } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';
import { LogLines } from '../../support/log-lines.js';
import { until } from '../../support/until.js';

const CONCURRENCY = 20;
const LARGE_CALLS = 40;
/** The statements of the server that are in `pg_sleep`. */
const SLEEPING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'";

@Injectable()
class Work {
  static ran = new Map<string, number>();
  static order: number[] = [];
  static running = 0;
  static most = 0;
  static gate: Gate | undefined;

  constructor(private readonly task: TaskContext) {}

  @Task()
  async echo(value: number): Promise<number> {
    return this.run(value, () => value);
  }

  @Task({ queue: 'texts', batch: { size: LARGE_CALLS, wait: '50ms' } })
  async lengths(calls: TaskBatch<[string]>): Promise<number[]> {
    Work.most = Math.max(Work.most, calls.length);
    return calls.map(({ args: [text] }) => text.length);
  }

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1, jitter: 0 } })
  async flaky(value: number): Promise<number> {
    return this.run(value, () => {
      if (this.task.attempt < 3) throw new Error('not yet');
      return value;
    });
  }

  @Task({ unique: { while: 'running', key: (value: number) => `${value}` } })
  async single(value: number): Promise<number> {
    return this.run(value, () => value);
  }

  @Task()
  async sum(values: number[]): Promise<number> {
    return this.run(-1, () => values.reduce((sum, value) => sum + value, 0));
  }

  private async run<T>(value: number, body: () => T): Promise<T> {
    Work.most = Math.max(Work.most, ++Work.running);
    try {
      await Work.gate?.opened;
      Work.order.push(value);
      const result = body();
      const { id } = this.task;
      Work.ran.set(id, (Work.ran.get(id) ?? 0) + 1);
      return result;
    } finally {
      Work.running--;
    }
  }
}

/** The parts of the driver that make BullMQ's own objects, and run statements, on both databases. */
interface Inside {
  readonly driver: {
    readonly classes: { readonly QueueEvents: typeof QueueEvents };
    readonly pools: { readonly queries: { query(text: string, params?: unknown[]): Promise<{ rows: object[] }> } };
  };
}

describeEachPostgres('ends that are stored together', (engine) => {
  const log = new LogLines();
  let booted: Booted;
  let work: Tasks<Work>;
  let native: Queue;
  let inside: Inside['driver'];
  const together = jest.spyOn(Lane.prototype, 'end');

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: CONCURRENCY } } }, [Work], log);
    work = booted.queue.of(Work);
    native = booted.app.get<Queue>(getQueueToken('default'));
    inside = booted.app.get<Inside>(ENGINE).driver;
  });
  afterAll(() => booted.app.close());
  beforeEach(() => {
    Work.ran = new Map();
    Work.order = [];
    Work.most = 0;
    Work.gate = undefined;
    together.mockClear();
  });

  const query = async (text: string, params: unknown[] = []) => (await inside.pools.queries.query(text, params)).rows;

  /** Enqueues tasks while the queue is paused. */
  async function waiting<T>(enqueue: () => Promise<T>): Promise<T> {
    await native.pause();
    return await enqueue();
  }

  it('a queue of plain and other tasks: each ends once, with its result', async () => {
    const numbers = Array.from({ length: 20 }, (_, n) => [n] as [number]);
    const handles = await waiting(async () => [
      ...(await work.echo.enqueueMany(numbers)),
      ...(await work.flaky.enqueueMany(numbers)),
      ...(await work.single.enqueueMany(numbers)),
      ...(await work.echo.with({ delay: 20 }).enqueueMany(numbers)),
      ...(await work.echo.enqueueMany(numbers)),
    ]);
    const whole = await chord(
      numbers.map(([n]) => work.echo.signature(n)),
      work.sum.signature(),
    ).enqueue();
    await native.resume();
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results).toEqual(Array.from({ length: 5 }, () => numbers.map(([n]) => n)).flat());
    expect(await whole.result()).toBe((19 * 20) / 2);
    expect([...Work.ran.values()].every((times) => times === 1)).toBe(true);
    expect(together.mock.calls.length).toBeGreaterThan(30);
    const open = await query(
      "SELECT id, state FROM job WHERE queue = 'default' AND (state <> 'completed' OR lock_token IS NOT NULL)",
    );
    expect(open).toEqual([]);
  });

  it("BullMQ's QueueEvents hears every start and every end, and that the queue is empty", async () => {
    const events = new inside.classes.QueueEvents('default', { connection: inside.pools.queries });
    const heard = { active: new Set<string>(), completed: new Map<string, unknown>(), drained: 0 };
    events.on('active', ({ jobId }) => void heard.active.add(jobId));
    events.on('completed', ({ jobId, returnvalue }) => void heard.completed.set(jobId, returnvalue));
    await events.waitUntilReady();
    const ids: string[] = [];
    // The object hears of the jobs that start after it is ready, which it reports a moment too early.
    await until(async () => {
      ids.push((await work.echo.enqueue(-1)).id);
      return heard.completed.size > 0;
    });
    ids.length = 0;
    events.on('drained', () => void heard.drained++);
    const handles = await waiting(() => work.echo.enqueueMany(Array.from({ length: 50 }, (_, n) => [n])));
    ids.push(...handles.map(({ id }) => id));
    await native.resume();
    await Promise.all(handles.map((handle) => handle.result()));
    await until(
      () => ids.every((id) => heard.completed.has(id) && heard.active.has(id)) && heard.drained > 0,
      () =>
        JSON.stringify({
          missing: ids.filter((id) => !heard.completed.has(id)).length,
          missingStarts: ids.filter((id) => !heard.active.has(id)).length,
          drained: heard.drained,
        }),
    );
    await events.close();
    expect(ids.map((id) => heard.completed.get(id))).toEqual(ids.map((_, n) => n));
    expect(together.mock.calls.length).toBeGreaterThan(30);
  });

  it('the stored rows are those of BullMQ', async () => {
    const handles = await waiting(() => work.echo.enqueueMany(Array.from({ length: 50 }, (_, n) => [n])));
    await native.resume();
    await Promise.all(handles.map((handle) => handle.result()));
    for (const { id } of handles) {
      const job = (await native.getJob(id))!;
      expect(job).toMatchObject({
        attemptsMade: 1,
        attemptsStarted: 1,
        stalledCounter: 0,
        returnvalue: handles.findIndex((handle) => handle.id === id),
      });
      expect(job.processedOn).toBeGreaterThanOrEqual(job.timestamp);
      expect(job.finishedOn).toBeGreaterThanOrEqual(job.processedOn!);
      expect(job.processedBy).toEqual(expect.any(String));
    }
    const rows = await query(
      "SELECT data ->> 'jobId' AS id, event FROM event WHERE queue = 'default' ORDER BY event.id",
    );
    const events = rows as { id: string; event: string }[];
    for (const { id } of handles)
      expect(events.filter((one) => one.id === id).map(({ event }) => event)).toEqual(
        expect.arrayContaining(['waiting', 'active', 'completed']),
      );
  });

  it('a queue that is paused, or gets a limit, starts no further tasks', async () => {
    Work.gate = new Gate();
    const handles = await work.echo.enqueueMany(Array.from({ length: 100 }, (_, n) => [n]));
    await until(() => Work.running === CONCURRENCY);
    await native.pause();
    // The worker has taken a job for each of its places, and none for which it has no place.
    expect(await native.getActiveCount()).toBe(CONCURRENCY);
    Work.gate.open();
    await until(async () => (await native.getActiveCount()) === 0);
    expect(Work.order.length).toBe(CONCURRENCY);
    await native.setGlobalConcurrency(2);
    Work.most = 0;
    await native.resume();
    await until(() => Work.order.length > 40);
    expect(Work.most).toBeLessThanOrEqual(2);
    await native.removeGlobalConcurrency();
    await Promise.all(handles.map((handle) => handle.result()));
  });

  // The embedded engine runs one statement after the other.
  if (engine.name === 'postgres')
    it('a job that changes in the middle of the statement is left to BullMQ, and no other one is taken for it', async () => {
      const insert = (id: string, state: string, token: string | null) =>
        query(
          "INSERT INTO job (queue, id, seq, name, state, data, opts, lock_token, added_at_ms) VALUES ('raced', $1, ascii($1), 'x', $2::job_state, '{}', '{}', $3, 1)",
          [id, state, token],
        );
      await Promise.all([insert('a', 'active', 'ta'), insert('b', 'active', 'tb')]);
      await Promise.all([insert('c', 'waiting', null), insert('d', 'waiting', null)]);
      // The statement has its snapshot then, and has locked no row yet.
      const slow = LANE.statement.replace('versions.fits\n', 'pg_sleep(0.8)::text IS NOT NULL AND versions.fits\n');
      expect(slow).not.toBe(LANE.statement);
      const [ids, tokens] = [
        ['a', 'b'],
        ['ta', 'tb'],
      ];
      const params = [ids, tokens, ['1', '2'], [5, 5], tokens, [], 10, 30_000, 'worker', [], [], []];
      const stored = query(slow, ['raced', ...params]);
      await until(async () => (await query(SLEEPING)).length > 0, 'the statement sleeps');
      await query(`UPDATE job SET data = '{"cancelled": true}' WHERE queue = 'raced' AND id = 'a'`);
      const [row] = (await stored) as LaneRow[];
      expect(row?.ended).toEqual(['b']);
      expect(row?.taken?.map((job) => job.lock_token)).toEqual(['tb']);
      const jobs = await query("SELECT id, state, lock_token FROM job WHERE queue = 'raced' ORDER BY id");
      expect(jobs).toEqual([
        { id: 'a', state: 'active', lock_token: 'ta' },
        { id: 'b', state: 'completed', lock_token: null },
        { id: 'c', state: 'active', lock_token: 'tb' },
        { id: 'd', state: 'waiting', lock_token: null },
      ]);
    });

  it('large calls are taken a few at a time, and all of them run', async () => {
    const texts = booted.app.get<Queue>(getQueueToken('texts'));
    const run = jest.spyOn(Lane.prototype as unknown as { answer: (...all: unknown[]) => void }, 'answer');
    await texts.pause();
    // PostgreSQL compresses such a text to a hundredth.
    const text = 'x'.repeat(500_000);
    const handles = await work.lengths.enqueueMany(Array.from({ length: LARGE_CALLS }, () => [text] as [string]));
    await texts.resume();
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results).toEqual(handles.map(() => text.length));
    const taken = run.mock.calls.map(([, , row]) => (row as LaneRow).taken?.length ?? 0);
    run.mockRestore();
    expect(Math.max(...taken)).toBeGreaterThan(10);
    expect(Math.max(...taken)).toBeLessThan(LARGE_CALLS);
  });

  it('tables of another version: BullMQ stores the ends, and the log has one line', async () => {
    await query("INSERT INTO migration (version, name, min_client_version) VALUES (12, 'later', 6)");
    const lines = () => log.lines.filter((line) => line.includes('do not have version 11')).length;
    const runSome = async () => {
      Work.gate = new Gate();
      const handles = await work.echo.enqueueMany(Array.from({ length: 50 }, (_, n) => [n]));
      await until(() => Work.running === CONCURRENCY);
      Work.gate.open();
      expect(await Promise.all(handles.map((handle) => handle.result()))).toHaveLength(50);
    };
    try {
      // After a limit of the queue, the ends are stored one by one for a second.
      await until(async () => {
        await runSome();
        return lines() > 0;
      });
      await runSome();
    } finally {
      await query('DELETE FROM migration WHERE version = 12');
    }
    expect(lines()).toBe(1);
    const handles = await work.echo.enqueueMany(Array.from({ length: 50 }, (_, n) => [n]));
    together.mockClear();
    await Promise.all(handles.map((handle) => handle.result()));
    expect(together).not.toHaveBeenCalled();
  });
});
