import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, TaskContext, TaskSchedules, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

/** Returns more than the types allow. */
function groupOf(what: string): unknown {
  if (what === 'a promise') return Promise.reject(new Error('no tenant'));
  return what === 'an object' ? { tenant: 1 } : what;
}

@Injectable()
class Rows {
  runs: number[][] = [];
  running = 0;
  most = 0;
  gate = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task({ queue: 'held', batch: { size: 3, wait: '1m' } })
  async held(calls: TaskBatch<[number]>): Promise<void> {
    this.most = Math.max(this.most, ++this.running);
    this.runs.push(calls.map(({ args: [value] }) => value));
    await this.gate.opened;
    this.running--;
  }

  @Task({ queue: 'limited', batch: { size: 10, wait: '50ms' } })
  async limited(calls: TaskBatch<[number]>): Promise<void> {
    this.runs.push(calls.map(({ args: [value] }) => value));
  }

  @Task({ queue: 'grouped', batch: { size: 10, wait: '50ms', key: groupOf as (what: string) => string } })
  async grouped(calls: TaskBatch<[string]>): Promise<string[]> {
    return calls.map(({ args: [what] }) => what);
  }

  @Task({ queue: 'urgent', batch: { size: 5, wait: '5s' } })
  async urgent(calls: TaskBatch<[number]>): Promise<void> {
    this.runs.push(calls.map(({ args: [value] }) => value));
    await this.gate.opened;
  }

  @Task({ queue: 'brief', batch: { size: 2, wait: '5s' }, resultTtl: '1s' })
  async brief(calls: TaskBatch<[number]>): Promise<number[]> {
    return calls.map(({ args: [value] }) => value * 2);
  }

  @Task({ queue: 'transactional', batch: { size: 10, wait: '10ms' } })
  async transactional(_calls: TaskBatch<[number]>): Promise<void> {
    await this.task.completeIn({});
  }
}

describeEachEngine('the rules of batches', (engine) => {
  let booted: Booted;
  let rows: Tasks<Rows>;
  let provider: Rows;

  beforeAll(async () => {
    const queues = {
      held: { concurrency: 2 },
      limited: { rateLimit: { max: 4, per: '1h' as const } },
      urgent: { concurrency: 1, priorities: true },
    };
    booted = await boot({ ...(await engine.place()), queues }, [Rows]);
    rows = booted.queue.of(Rows);
    provider = booted.app.get(Rows);
  });
  beforeEach(() => {
    provider.runs = [];
    provider.most = 0;
    provider.gate = new Gate();
  });
  afterAll(() => booted.app.close());

  it('concurrency counts runs; calls that wait for their batch count as running, at most size × concurrency at a time', async () => {
    const handles = await rows.held.enqueueMany([[1], [2]]);
    const states = async () => (await Promise.all(handles.map((handle) => handle.status()))).map(({ state }) => state);
    await until(async () => (await states()).every((state) => state === 'running'));
    expect(provider.runs).toEqual([]);
    handles.push(...(await rows.held.enqueueMany(Array.from({ length: 10 }, (_, n): [number] => [n + 3]))));
    await until(() => provider.runs.length === 2);
    const running = (await states()).filter((state) => state === 'running');
    expect(running).toHaveLength(6);
    provider.gate.open();
    await Promise.all(handles.map((handle) => handle.result()));
    expect(provider.runs.map(({ length }) => length)).toEqual([3, 3, 3, 3]);
    expect(provider.most).toBe(2);
  });

  it('rateLimit counts calls', async () => {
    const handles = await rows.limited.enqueueMany(Array.from({ length: 6 }, (_, n): [number] => [n]));
    await until(() => provider.runs.flat().length >= 4);
    const admin = booted.app.get(TaskAdmin);
    const waiting = await admin.tasks({ queue: 'limited', state: 'queued' });
    expect(waiting.items).toHaveLength(2);
    expect(provider.runs.flat()).toHaveLength(4);
    await Promise.all(handles.map((handle) => handle.cancel()));
  });

  it('calls of a higher priority come into the next batch', async () => {
    const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n): [number] => [from + n]);
    const handles = await rows.urgent.enqueueMany(numbers(1, 5));
    await until(() => provider.runs.length === 1);
    handles.push(...(await rows.urgent.enqueueMany(numbers(10, 10))));
    handles.push(...(await rows.urgent.with({ priority: 9 }).enqueueMany(numbers(90, 5))));
    provider.gate.open();
    await Promise.all(handles.map((handle) => handle.result({ timeout: '15s' })));
    expect(provider.runs.map(({ length }) => length)).toEqual([5, 5, 5, 5]);
    expect(provider.runs[1]?.toSorted((a, b) => a - b)).toEqual([90, 91, 92, 93, 94]);
  });

  it('the result of each call is kept for the resultTtl of the task', async () => {
    const handles = await rows.brief.enqueueMany([[1], [2]]);
    expect(await Promise.all(handles.map((handle) => handle.result({ timeout: '15s' })))).toEqual([2, 4]);
    for (const handle of handles) {
      const code = () =>
        handle.status().then(
          () => undefined,
          (error: { code?: string }) => error.code,
        );
      await until(async () => (await code()) === 'TASK_NOT_FOUND', 'the result is gone');
    }
  });

  it('takes the tasks of schedules', async () => {
    provider.gate.open();
    const schedules = booted.app.get(TaskSchedules);
    for (const id of ['one', 'two', 'three'])
      await schedules.upsert(id, { task: rows.held, cron: '0 0 1 1 *', args: [7] });
    const runs = await Promise.all(['one', 'two', 'three'].map((id) => schedules.runNow(id)));
    await Promise.all(runs.map((handle) => handle.result()));
    expect(provider.runs).toEqual([[7, 7, 7]]);
  });

  it('lets a call fail alone whose key is no text', async () => {
    const handles = await rows.grouped.enqueueMany([['a promise'], ['an object'], ['a text']]);
    const ends = await Promise.allSettled(handles.map((handle) => handle.result({ timeout: '10s' })));
    const told = ends.map((end) => (end.status === 'fulfilled' ? end.value : (end.reason as Error).message));
    expect(told).toEqual([
      expect.stringContaining('key in batch of task "Rows.grouped" returned a promise'),
      expect.stringContaining('key in batch of task "Rows.grouped" returned an object. Return a text.'),
      'a text',
    ]);
  });

  it('refuses completeIn()', async () => {
    const handle = await rows.transactional.enqueue(1);
    await expect(handle.result()).rejects.toMatchObject({
      cause: { message: 'completeIn() is for tasks that run by themselves, not for batches.' },
    });
  });
});
