import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Task, TaskAdmin, TaskContext, TaskQueue, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  /** The ids of the tasks that wait. */
  static readonly waiting = new Set<string>();

  constructor(
    private readonly task: TaskContext,
    private readonly queue: TaskQueue,
  ) {}

  @Task({ queue: 'narrow' })
  async leaf(): Promise<string> {
    return 'leaf';
  }

  @Task({ queue: 'narrow' })
  async waits(): Promise<string> {
    return await (await this.queue.of(Work).leaf.enqueue()).result();
  }

  @Task({ queue: 'narrow' })
  async follows(): Promise<string> {
    const handle = await this.queue.of(Work).leaf.enqueue();
    let state = '';
    for await (const status of handle.updates()) state = status.state;
    return state;
  }

  @Task({ queue: 'narrow' })
  async waitsForItself(): Promise<unknown> {
    return await this.queue.handle(this.task.id).result();
  }

  @Task({ queue: 'wide' })
  async waitsInWide(depth: number): Promise<string> {
    if (depth === 0) return 'deep';
    const handle = await this.queue.of(Work).waitsInWide.enqueue(depth - 1);
    Work.waiting.add(this.task.id);
    return await handle.result();
  }

  /** Waits for a task that waits for another one, and begins once that one does. */
  @Task({ queue: 'wide' })
  async waitsLater(): Promise<string> {
    const inner = await this.queue.of(Work).waitsInWide.enqueue(1);
    await until(() => Work.waiting.has(inner.id), 'the inner task waits');
    return inner.result();
  }

  @Task({ queue: 'limited' })
  async waitsInLimited(depth: number): Promise<string> {
    if (depth === 0) return 'deep';
    const handle = await this.queue.of(Work).waitsInLimited.enqueue(depth - 1);
    Work.waiting.add(this.task.id);
    return await handle.result();
  }

  /** Leaves a wait behind that never ends. */
  @Task({ queue: 'wide' })
  async leavesWait(): Promise<void> {
    const other = await this.queue.of(Work).waitsInWide.with({ delay: '1h' }).enqueue(0);
    other.result().catch(() => undefined);
  }

  /** Waits for the call whose id it gets, for a new call of the same task, or for nothing. */
  @Task({ queue: 'batched', batch: { size: 10, wait: '200ms' } })
  async inBatch(calls: TaskBatch<[string]>): Promise<string[]> {
    for (const { id, args } of calls) {
      const [awaited] = args;
      const other = calls.find((call) => call.id !== id)?.id ?? id;
      if (awaited === 'other') await this.queue.handle(other).result();
      if (awaited === 'next') await (await this.queue.of(Work).inBatch.enqueue('nothing')).result();
      if (awaited === 'leaf') await (await this.queue.of(Work).leaf.enqueue()).result();
    }
    return calls.map(() => 'done');
  }

  @Task({ queue: 'wide' })
  async waitsForNarrow(): Promise<string> {
    return await (await this.queue.of(Work).leaf.enqueue()).result();
  }
}

describeEachEngine('a task that waits for another one', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    const options = await engine.place();
    booted = await boot(
      {
        ...options,
        queues: {
          narrow: { concurrency: 1 },
          wide: { concurrency: 2 },
          batched: { concurrency: 1 },
          limited: { concurrency: 10, globalConcurrency: 2 },
        },
      },
      [Work],
    );
    work = booted.queue.of(Work);
  });
  afterAll(() => booted.app.close());

  it.each(['waits', 'follows'] as const)('fails when no place of its queue is left (%s)', async (task) => {
    const handle = await work[task].enqueue();
    const message = expect.stringMatching(/keep all 1 places of the queue "narrow".*replaceWith/);
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { code: 'SELF_WAIT' }, message });
    // The queue goes on, with the awaited task too.
    expect(await (await work.leaf.enqueue()).result({ timeout: '15s' })).toBe('leaf');
  });

  it('fails when it waits for itself', async () => {
    const handle = await work.waitsForItself.enqueue();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { code: 'SELF_WAIT' } });
  });

  it('has the result while a place is left, or in another queue', async () => {
    expect(await (await work.waitsInWide.enqueue(1)).result({ timeout: '15s' })).toBe('deep');
    expect(await (await work.waitsForNarrow.enqueue()).result({ timeout: '15s' })).toBe('leaf');
  });

  it('fails in the call that takes the last place', async () => {
    const handle = await work.waitsInWide.enqueue(2);
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({
      message: expect.stringContaining('all 2 places'),
    });
  });

  it('fails when a task that waits later takes the last place: it waits for a task that runs', async () => {
    const handle = await work.waitsLater.enqueue();
    const message = expect.stringMatching(/waits for task .* all 2 places of the queue "wide"/);
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ message });
  });

  it('fails when the limit of all processes leaves no place', async () => {
    expect(await (await work.waitsInLimited.enqueue(1)).result({ timeout: '15s' })).toBe('deep');
    const handle = await work.waitsInLimited.enqueue(2);
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({
      message: expect.stringContaining('keep all 2 places that its globalConcurrency gives the queue "limited"'),
    });
  });

  it('waits while an administrator has lowered the limit of all processes, and ends when it is raised again', async () => {
    const admin = booted.app.get(TaskAdmin);
    await admin.setGlobalConcurrency('limited', 1, { by: 'ada' });
    const handle = await work.waitsInLimited.enqueue(1);
    await until(() => Work.waiting.has(handle.id), 'the task waits');
    // Time in which a wrong check would fail the task.
    await sleep(300);
    expect((await handle.status()).state).toBe('running');
    await admin.setGlobalConcurrency('limited', 3, { by: 'ada' });
    expect(await handle.result({ timeout: '15s' })).toBe('deep');
    expect(await (await work.waitsInLimited.enqueue(2)).result({ timeout: '15s' })).toBe('deep');
    await admin.setGlobalConcurrency('limited', null, { by: 'ada' });
  });

  it('keeps its place no longer than it runs, although it has left a wait behind', async () => {
    await (await work.leavesWait.enqueue()).result({ timeout: '15s' });
    expect(await (await work.waitsInWide.enqueue(1)).result({ timeout: '15s' })).toBe('deep');
  });

  it('fails in a batch that waits for one of its calls, or for a call of a later batch', async () => {
    const both = await work.inBatch.enqueueMany([['nothing'], ['other']]);
    for (const handle of both)
      await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { code: 'SELF_WAIT' } });
    const next = await work.inBatch.enqueue('next');
    const message = expect.stringMatching(/keep all 1 places of the queue "batched".*Do not wait in the batch/);
    await expect(next.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { code: 'SELF_WAIT' }, message });
    expect(await (await work.inBatch.enqueue('leaf')).result({ timeout: '15s' })).toBe('done');
  });
});
