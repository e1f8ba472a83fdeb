import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, Task, TaskAdmin, TaskContext, TaskQueue, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

interface Order {
  readonly lines: number[];
}

/** Each method takes what it gets apart, as code that owns its arguments may do. */
@Injectable()
class Work {
  static seen: number[][] = [];
  static fails = true;

  constructor(
    private readonly task: TaskContext,
    private readonly queue: TaskQueue,
  ) {}

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async retried(order: Order): Promise<number> {
    const sum = this.takeApart(order);
    if (this.task.attempt < 3) throw new Error('again');
    return sum;
  }

  @Task()
  async later(order: Order): Promise<number> {
    const sum = this.takeApart(order);
    if (Work.seen.length < 3) this.task.retry({ in: 1 });
    return sum;
  }

  @Task()
  async replaced(order: Order): Promise<number> {
    const sum = this.takeApart(order);
    return this.task.replaceWith(this.queue.of(Work).failsOnce.signature(sum));
  }

  @Task()
  async failsOnce(sum: number): Promise<number> {
    if (Work.fails) throw new Error('not yet');
    return sum;
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 1 } })
  async step(order: Order): Promise<Order> {
    const lines = [...order.lines];
    this.takeApart(order);
    if (this.task.attempt === 1) throw new Error('again');
    return { lines };
  }

  @Task({ queue: 'rows', batch: { size: 10, wait: '20ms' }, retries: 1, backoff: { type: 'fixed', delay: 1 } })
  async inBatch(calls: TaskBatch<[Order]>): Promise<number[]> {
    const sums = calls.map(({ args: [order] }) => this.takeApart(order));
    if (calls[0]?.attempt === 1) throw new Error('again');
    return sums;
  }

  private takeApart({ lines }: Order): number {
    Work.seen.push([...lines]);
    return lines.splice(0).reduce((sum, line) => sum + line, 0);
  }
}

describeEachEngine('a method that changes its arguments', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Work]);
    work = booted.queue.of(Work);
  }, 60_000);
  beforeEach(() => {
    Work.seen = [];
    Work.fails = true;
  });
  afterAll(() => booted.app.close());

  const order = (): Order => ({ lines: [1, 2, 3] });
  const times = (count: number) => Array.from({ length: count }, () => [1, 2, 3]);

  it.each(['retried', 'later', 'inBatch'] as const)('gets them as they were sent in each run (%s)', async (method) => {
    const handle = await work[method].enqueue(order());
    await expect(handle.result({ timeout: '20s' })).resolves.toBe(6);
    expect(Work.seen).toEqual(times(method === 'inBatch' ? 2 : 3));
    expect((await booted.app.get(TaskAdmin).task(handle.id)).args).toEqual([order()]);
  });

  it('gets them as they were sent when it is run again after it became another task', async () => {
    const handle = await work.replaced.enqueue(order());
    await expect(handle.result({ timeout: '20s' })).rejects.toThrow('not yet');
    expect((await booted.app.get(TaskAdmin).task(handle.id)).args).toEqual([order()]);
    Work.fails = false;
    await handle.retry();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe(6);
    // The member alone runs again.
    expect(Work.seen).toEqual(times(1));
  });

  it('gets the result of the step before as it was', async () => {
    const handle = await chain(work.step.signature(order()), work.step.signature(), work.retried.signature()).enqueue();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe(6);
    expect(Work.seen).toEqual(times(2 + 2 + 3));
  });
});
