import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, type TaskState, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { unfinishedTasks } from '../support/unfinished-tasks.js';
import { until } from '../support/until.js';

const WINDOW = 600;

@Injectable()
class Work {
  static readonly aborted: string[] = [];

  constructor(private readonly task: TaskContext) {}

  @Task()
  async endless(): Promise<void> {
    await new Promise((_, reject) =>
      this.task.signal.addEventListener('abort', () => {
        Work.aborted.push(this.task.id);
        reject(this.task.signal.reason as Error);
      }),
    );
  }

  @Task({ retries: 2, backoff: { type: 'fixed', delay: '1h' } })
  async hopeless(): Promise<void> {
    throw new Error('again in an hour');
  }

  @Task({ unique: { while: 'running', key: () => 'the only one' }, queue: 'held' })
  async single(_caller: number): Promise<void> {}

  @Task({ queue: 'limited' })
  async limited(): Promise<number> {
    return Date.now();
  }
}

/** Two applications on one engine. On the embedded engine it is the same application, because only one may open it. */
describeEachEngine('several applications', (engine) => {
  let one: Booted;
  let other: Booted;
  let work: Tasks<Work>;
  let workOfOther: Tasks<Work>;

  beforeAll(async () => {
    const options = {
      ...(await engine.place()),
      consume: ['default', 'limited'],
      queues: { limited: { rateLimit: { max: 5, per: WINDOW } }, held: {} },
    };
    one = await boot(options, [Work]);
    other = engine.name === 'embedded' ? one : await boot(options, [Work]);
    work = one.queue.of(Work);
    workOfOther = other.queue.of(Work);
  });
  afterAll(() => Promise.all([one.app.close(), other.app.close()]));

  async function reaches(handle: TaskHandle, wanted: TaskState): Promise<void> {
    for await (const { state } of handle.updates()) if (state === wanted) return;
  }

  it('a running task of another application is cancelled within a second', async () => {
    // Six tasks, so that some of them run in the other application.
    const handles = await work.endless.enqueueMany(Array.from({ length: 6 }, () => []));
    await Promise.all(handles.map((handle) => reaches(handle, 'running')));
    const start = Date.now();
    await Promise.all(handles.map(({ id }) => other.queue.handle(id).cancel()));
    await until(() => handles.every(({ id }) => Work.aborted.includes(id)), 'all six tasks are aborted', 5_000);
    expect(Date.now() - start).toBeLessThan(1_000);
    for (const handle of handles) await expect(handle.result()).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  });

  it('a task that waits for its next attempt can be cancelled', async () => {
    const handle = await work.hopeless.enqueue();
    await reaches(handle, 'retrying');
    await expect(other.queue.handle(handle.id).cancel('no use')).resolves.toMatchObject({ state: 'cancelled' });
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({
      code: 'TASK_CANCELLED',
      message: 'no use',
    });
    await expect(handle.status()).resolves.toMatchObject({ state: 'cancelled', attempt: 1 });
  });

  it('a hundred simultaneous calls of a unique task make one task', async () => {
    const callers = Array.from({ length: 100 }, (_, caller) =>
      (caller % 2 ? work : workOfOther).single.enqueue(caller),
    );
    const handles = await Promise.all(callers);
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(handles.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
    // Nothing consumes the queue, so a second task would still be there.
    expect(await unfinishedTasks(one, 'held')).toEqual([handles[0]?.id]);
  });

  it('the workers of a queue together keep its rate limit in every window', async () => {
    const handles = await work.limited.enqueueMany(Array.from({ length: 23 }, () => []));
    await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })));
    // `startedAt` is the time at which a worker took the task. On a busy machine the method begins later.
    const statuses = await Promise.all(handles.map((handle) => handle.status()));
    const starts = statuses.map(({ startedAt }) => Date.parse(startedAt as string)).toSorted((a, b) => a - b);
    for (const [index, start] of starts.entries()) {
      const fiveLater = starts[index + 5];
      if (index % 5 === 0 && fiveLater !== undefined) expect(fiveLater - start).toBeGreaterThan(WINDOW - 60);
    }
  });
});
