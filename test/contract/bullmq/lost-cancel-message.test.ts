import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, type TaskHandle, type TaskState, type Tasks } from 'nestjs-task-queue';
import { ChangeFeed } from '../../../lib/engine/bullmq/changes/change-feed.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
import { until } from '../../support/until.js';

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
}

/** Two applications on one engine. On the embedded engine it is the same application, because only one may open it. */
describeEachDatabase('a cancellation whose message is lost', (engine) => {
  let one: Booted;
  let other: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    const options = await engine.place();
    one = await boot(options, [Work]);
    other = engine.name === 'embedded' ? one : await boot(options, [Work]);
    work = one.queue.of(Work);
  });
  afterAll(() => Promise.all([one.app.close(), other.app.close()]));

  async function reaches(handle: TaskHandle, wanted: TaskState): Promise<void> {
    for await (const { state } of handle.updates()) if (state === wanted) return;
  }

  it('a poll of the worker still cancels the running task within a second', async () => {
    const send = jest.spyOn(ChangeFeed.prototype, 'requestCancels');
    send.mockResolvedValue();
    // Six tasks, so that some of them run in the other application.
    const handles = await work.endless.enqueueMany(Array.from({ length: 6 }, () => []));
    await Promise.all(handles.map((handle) => reaches(handle, 'running')));
    const start = Date.now();
    await Promise.all(handles.map(({ id }) => other.queue.handle(id).cancel()));
    await until(() => handles.every(({ id }) => Work.aborted.includes(id)), 'all six tasks are aborted', 5_000);
    expect(Date.now() - start).toBeLessThan(1_000);
    send.mockRestore();
    for (const handle of handles) await expect(handle.result()).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  });
});
