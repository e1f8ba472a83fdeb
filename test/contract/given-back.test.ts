import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import type { Engine } from '../../lib/engine/engine.js';
import { newTaskId } from '../../lib/engine/task-id.js';
import { ENGINE } from '../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { until } from '../support/until.js';

/** Whether the method was called. */
let ran = false;

@Injectable()
class Rows {
  @Task({ batch: { size: 2, wait: '1m' }, queue: 'rows' })
  async store(_calls: TaskBatch<[number]>): Promise<void> {
    ran = true;
  }
}

describeEachEngine('a task that a worker gave back before it called the method', (engine) => {
  let booted: Booted;
  let place: Place;
  let rows: Tasks<Rows>;

  const start = async () => {
    booted = await boot({ ...place, queues: { rows: { concurrency: 2 } } }, [Rows]);
    rows = booted.queue.of(Rows);
  };
  beforeAll(async () => {
    place = await engine.place();
    await start();
  });
  afterAll(() => booted.app.close());

  it('has not started, and is retried: a name that nobody declares waits, and expires at its time', async () => {
    const port = booted.app.get<Engine>(ENGINE);
    const id = newTaskId('rows');
    const call = { id, name: 'Unknown.task', queue: 'rows', args: [], headers: {} };
    await port.enqueue([{ ...call, options: { expiresAt: Date.now() + 600 } }]);
    const handle = booted.queue.handle(id);
    await until(async () => (await handle.status())?.state === 'retrying', 'the task is given back');
    expect(await handle.status()).toMatchObject({ attempt: 0, error: null });
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_EXPIRED' });
    expect(await handle.status()).toMatchObject({ state: 'expired', attempt: 0 });
  });

  it('has not started: a call that waits for its batch while its process closes expires at its time', async () => {
    const call = await rows.store.with({ expires: '2s' }).enqueue(1);
    const admin = booted.app.get(TaskAdmin);
    const isTaken = async () => (await admin.tasks({ state: 'running' })).items.length === 1;
    await until(isTaken, 'a worker has the call');
    await booted.app.close();
    // The task has to expire while no process runs.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await start();
    const handle = booted.queue.handle(call.id);
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_EXPIRED' });
    expect(ran).toBe(false);
  });
});
