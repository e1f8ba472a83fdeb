import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  chain,
  group,
  QueueFullError,
  Task,
  TaskSchedules,
  type TaskQueueOptions,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { LogLines } from '../support/log-lines.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  readonly gate = new Gate();

  @Task({ queue: 'small' })
  async small(n: number): Promise<number> {
    if (n < 0) await this.gate.opened;
    return n;
  }

  @Task()
  free(n: number): number {
    return n;
  }
}

/** One for each test, because starting the embedded engine takes long. */
const SMALL = ['small', 'small-2', 'small-3', 'small-4', 'small-5'];
const options: TaskQueueOptions = {
  queues: Object.fromEntries(SMALL.map((name) => [name, { maxQueued: 5, concurrency: 1 }])),
  consume: ['default', 'small-3'],
};

describeEachEngine('a queue with maxQueued', (engine) => {
  let booted: Booted;
  let place: Place;
  let free: Tasks<Work>['free'];
  let small: Tasks<Work>['small'];
  let queue = '';
  const log = new LogLines();

  beforeAll(async () => {
    place = await engine.place();
    booted = await boot({ ...place, ...options }, [Work], log);
    free = booted.queue.of(Work).free;
  });
  let next = 0;
  beforeEach(() => {
    queue = SMALL[next++] as string;
    small = booted.queue.of(Work).small.with({ queue });
  });
  afterAll(() => booted?.app.close());

  it('takes so many tasks and no more, one by one, together, in bulks and in workflows', async () => {
    const first = await small.enqueue(1);
    await small.with({ delay: '1h' }).enqueue(2);
    const together = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => small.enqueue(n)));
    expect(together.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    const refused = await small.enqueue(3).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(QueueFullError);
    expect(refused).toMatchObject({ code: 'QUEUE_FULL', queue, limit: 5 });
    expect((refused as Error).message).toBe(
      `The queue "${queue}" is full: 5 tasks wait in it, and its maxQueued is 5, so 1 more is not stored. ` +
        `Try again later, add workers, or raise queues: { ${queue}: { maxQueued } }.`,
    );
    await expect(small.enqueueMany([[1], [2]])).rejects.toThrow('so 2 more are not stored');
    await expect(chain(small.signature(1), free.signature()).enqueue()).rejects.toThrow(QueueFullError);

    // Another queue has no limit, and a workflow that begins there is stored with its later steps.
    await chain(free.signature(1), small.signature()).enqueue();
    await free.enqueue(1);
    expect((await booted.queue.handle(first.id).status()).state).toBe('queued');
  });

  it('stores all of a call or nothing', async () => {
    await small.enqueueMany([[1], [2], [3]]);
    await expect(small.enqueueMany([[4], [5], [6]])).rejects.toThrow(QueueFullError);
    const both = group([small.signature(4), small.signature(5), small.signature(6)]);
    await expect(both.enqueue()).rejects.toThrow(QueueFullError);
    expect(await small.enqueueMany([[4], [5]])).toHaveLength(2);
    await expect(small.enqueue(6)).rejects.toThrow(QueueFullError);
  });

  it('has room again once tasks have left it', async () => {
    const running = await small.enqueue(-1);
    await until(async () => (await running.status()).state === 'running');
    await small.enqueueMany([[1], [2], [3], [4], [5]]);
    await expect(small.enqueue(6)).rejects.toThrow(QueueFullError);
    booted.app.get(Work).gate.open();
    await until(() => small.enqueue(6).then(Boolean, () => false));
  });

  it('refuses no call that is stored already', async () => {
    const calls = [0, 1, 2, 3, 4].map((n) => small.with({ idempotencyKey: `key ${n}` }));
    const handles = await Promise.all(calls.map((call, n) => call.enqueue(n)));
    const again = await Promise.all(calls.map((call, n) => call.enqueue(n)));
    expect(again.map(({ id, deduplicated }) => [id, deduplicated])).toEqual(handles.map(({ id }) => [id, true]));
    await expect(small.with({ idempotencyKey: 'new' }).enqueue(9)).rejects.toThrow(QueueFullError);
    await expect(calls[0]?.enqueue(9)).rejects.toThrow('was used for task');
  });

  it('leaves out ticks of schedules, with the reason', async () => {
    const schedules = booted.app.get(TaskSchedules);
    await small.enqueueMany([[1], [2], [3], [4], [5]]);
    await schedules.upsert('ticks', { task: small, args: [0], every: 200 });
    await until(async () => (await schedules.list())[0]?.lastSkip?.because === 'QUEUE_FULL');
    await expect(schedules.runNow('ticks')).rejects.toThrow(QueueFullError);
    await schedules.remove('ticks');
    const lines = log.lines.filter((line) => line.startsWith('WARN Schedule "ticks" leaves out'));
    expect(lines).toEqual([expect.stringContaining(`The queue "${queue}" is full`)]);
  });
});
