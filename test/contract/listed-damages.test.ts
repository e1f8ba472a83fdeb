import { getQueueToken } from '@nestjs/bullmq';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Task, TaskAdmin, type TaskFilter, type TaskHandle } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { damage, damagesOf } from '../support/damaged-jobs.js';
import { describeEachDatabase } from '../support/engines.js';
import { storedJobs, type StoredJobs } from '../support/stored-jobs.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }
}

const FILTERS: readonly TaskFilter[] = [
  { queue: 'default' },
  ...(['queued', 'scheduled', 'running', 'succeeded', 'failed', 'cancelled', 'expired'] as const).map(
    (state): TaskFilter => ({ queue: 'default', state }),
  ),
  { name: 'Work.echo' },
  { header: { owner: '7' } },
  { enqueuedAfter: new Date(0) },
  { args: 'damaged' },
  { runningFor: 1 },
  { root: true },
  { workflow: true },
];

describeEachDatabase('a task that cannot be read', (engine) => {
  let booted: Booted;
  let admin: TaskAdmin;
  let queue: Queue;
  let stored: StoredJobs;
  const handles: TaskHandle[] = [];
  let good: TaskHandle;

  beforeAll(async () => {
    const place = await engine.place();
    booted = await boot({ ...place, abandonedAfter: '30s' }, [Work]);
    admin = booted.app.get(TaskAdmin);
    queue = booted.app.get(getQueueToken('default'));
    stored = storedJobs(engine, place, booted);
    await queue.pause();
    const { echo } = booted.queue.of(Work);
    for (const what of damagesOf(engine)) {
      const handle = await echo.enqueue('damaged');
      await damage(engine, stored, what, handle.id);
      handles.push(handle);
    }
    good = await echo.with({ headers: { owner: '7' } }).enqueue('good');
  }, 60_000);
  afterAll(async () => {
    await stored.close();
    await booted.app.close();
  });

  async function lookAtAll(): Promise<void> {
    for (const filter of FILTERS) {
      let cursor: string | null = null;
      do {
        const page = await admin.tasks(filter, { limit: 20, ...(cursor !== null && { cursor }) });
        cursor = page.cursor;
      } while (cursor);
    }
    expect((await admin.tasks({ header: { owner: '7' } })).items.map(({ id }) => id)).toEqual([good.id]);
    expect(await admin.errors({ queue: 'default' })).toBeDefined();
    for (const { id } of handles) {
      const details = await admin.task(id).catch(({ code }: { code: string }) => code);
      if (details !== 'TASK_NOT_FOUND') expect(details).toMatchObject({ id });
      await admin.logs(id).catch(({ code }: { code: string }) => expect(code).toBe('TASK_NOT_FOUND'));
    }
    expect((await admin.queues()).map(({ name }) => name)).toEqual(['default']);
  }

  it('stops no list and no look-up, while it waits and after it has ended', async () => {
    await lookAtAll();
    await queue.resume();
    await expect(good.result({ timeout: '20s' })).resolves.toBe('good');
    await until(async () => (await queue.getWaitingCount()) + (await queue.getActiveCount()) === 0, 'all have ended');
    await lookAtAll();
  }, 60_000);

  it('is removed with all others by acts on many', async () => {
    const act = await admin.forgetAll({ queue: 'default' });
    await act.result({ timeout: '30s' });
    const left = async () => (await admin.queues()).find(({ name }) => name === 'default')?.counts;
    expect(await left()).toMatchObject({ queued: 0, running: 0, succeeded: 0, failed: 0 });
  }, 60_000);
});
