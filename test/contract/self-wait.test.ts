import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskQueue, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

@Injectable()
class Work {
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
    return await (await this.queue.of(Work).waitsInWide.enqueue(depth - 1)).result();
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
    booted = await boot({ ...options, queues: { narrow: { concurrency: 1 }, wide: { concurrency: 2 } } }, [Work]);
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
});
