import { afterEach, beforeEach, expect, it } from '@jest/globals';
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
import { LogLines } from '../support/log-lines.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  @Task({ queue: 'small' })
  small(n: number): number {
    return n;
  }

  @Task()
  free(n: number): number {
    return n;
  }
}

const options: TaskQueueOptions = { queues: { small: { maxQueued: 5 } }, consume: ['default'] };

describeEachEngine('a queue with maxQueued', (engine) => {
  let booted: Booted;
  let place: Place;
  let work: Tasks<Work>;
  const log = new LogLines();

  beforeEach(async () => {
    place = await engine.place();
    booted = await boot({ ...place, ...options }, [Work], log);
    work = booted.queue.of(Work);
  });
  afterEach(() => booted.app.close());

  it('takes so many tasks and no more, one by one, together, in bulks and in workflows', async () => {
    const first = await work.small.enqueue(1);
    await work.small.with({ delay: '1h' }).enqueue(2);
    const together = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => work.small.enqueue(n)));
    expect(together.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    const refused = await work.small.enqueue(3).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(QueueFullError);
    expect(refused).toMatchObject({ code: 'QUEUE_FULL', queue: 'small', limit: 5 });
    expect((refused as Error).message).toBe(
      'The queue "small" is full: 5 tasks wait in it, and its maxQueued is 5, so 1 more is not stored. ' +
        'Try again later, add workers, or raise queues: { small: { maxQueued } }.',
    );
    await expect(work.small.enqueueMany([[1], [2]])).rejects.toThrow('so 2 more are not stored');
    await expect(chain(work.small.signature(1), work.free.signature()).enqueue()).rejects.toThrow(QueueFullError);

    // Another queue has no limit, and a workflow that begins there is stored with its later steps.
    await chain(work.free.signature(1), work.small.signature()).enqueue();
    await work.free.enqueue(1);
    expect((await booted.queue.handle(first.id).status()).state).toBe('queued');
  });

  it('stores all of a call or nothing', async () => {
    await work.small.enqueueMany([[1], [2], [3]]);
    await expect(work.small.enqueueMany([[4], [5], [6]])).rejects.toThrow(QueueFullError);
    const both = group([work.small.signature(4), work.small.signature(5), work.small.signature(6)]);
    await expect(both.enqueue()).rejects.toThrow(QueueFullError);
    expect(await work.small.enqueueMany([[4], [5]])).toHaveLength(2);
    await expect(work.small.enqueue(6)).rejects.toThrow(QueueFullError);
  });

  it('has room again once tasks have left it', async () => {
    const [handle] = await work.small.enqueueMany([[1], [2], [3], [4], [5]]);
    await expect(work.small.enqueue(6)).rejects.toThrow(QueueFullError);
    await handle?.cancel();
    if (engine.name === 'embedded') await booted.app.close();
    // Here the queue has a worker.
    const worker = await boot({ ...place, ...options, consume: ['small'] }, [Work]);
    await until(() =>
      worker.queue
        .of(Work)
        .small.enqueue(6)
        .then(Boolean, () => false),
    );
    await worker.app.close();
  });

  it('refuses no call that is stored already', async () => {
    const calls = [0, 1, 2, 3, 4].map((n) => work.small.with({ idempotencyKey: `key ${n}` }));
    const handles = await Promise.all(calls.map((call, n) => call.enqueue(n)));
    const again = await Promise.all(calls.map((call, n) => call.enqueue(n)));
    expect(again.map(({ id, deduplicated }) => [id, deduplicated])).toEqual(handles.map(({ id }) => [id, true]));
    await expect(work.small.with({ idempotencyKey: 'new' }).enqueue(9)).rejects.toThrow(QueueFullError);
    await expect(calls[0]?.enqueue(9)).rejects.toThrow('was used for task');
  });

  it('leaves out ticks of schedules, with the reason', async () => {
    const schedules = booted.app.get(TaskSchedules);
    await work.small.enqueueMany([[1], [2], [3], [4], [5]]);
    await schedules.upsert('ticks', { task: work.small, args: [0], every: 200 });
    await until(async () => (await schedules.list())[0]?.lastSkip?.because === 'QUEUE_FULL');
    await expect(schedules.runNow('ticks')).rejects.toThrow(QueueFullError);
    await schedules.remove('ticks');
    const lines = log.lines.filter((line) => line.startsWith('WARN Schedule "ticks" leaves out'));
    expect(lines).toEqual([expect.stringContaining('The queue "small" is full')]);
  });
});
