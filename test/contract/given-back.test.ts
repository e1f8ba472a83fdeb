import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, type TaskBatch, type TaskHandle, type Tasks, type TaskStatus } from 'nestjs-task-queue';
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

  /** Enqueues a task that gets into a state before it expires. On a machine that is busy, the next one gets more time. */
  async function beforeItExpires(state: string, enqueue: (milliseconds: number) => Promise<TaskHandle>) {
    for (let milliseconds = 600; ; milliseconds *= 3) {
      const handle = await enqueue(milliseconds);
      let status: TaskStatus | undefined;
      await until(
        async () => [state, 'expired'].includes((status = await handle.status())?.state ?? ''),
        () => `the task is ${state}, and not ${status?.state}`,
      );
      if (status?.state === state) return { handle, status, milliseconds };
      expect(milliseconds).toBeLessThan(20_000);
    }
  }

  it('has not started, and is retried: a name that nobody declares waits, and expires at its time', async () => {
    const port = booted.app.get<Engine>(ENGINE);
    const given = await beforeItExpires('retrying', async (milliseconds) => {
      const id = newTaskId('rows');
      const call = { id, name: 'Unknown.task', queue: 'rows', args: [], headers: {} };
      await port.enqueue([{ ...call, options: { expiresAt: Date.now() + milliseconds } }]);
      return booted.queue.handle(id);
    });
    const { handle } = given;
    expect(given.status).toMatchObject({ attempt: 0, error: null });
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_EXPIRED' });
    expect(await handle.status()).toMatchObject({ state: 'expired', attempt: 0 });
  });

  it('has not started: a call that waits for its batch while its process closes expires at its time', async () => {
    const { handle: call, milliseconds } = await beforeItExpires('running', (expires) =>
      rows.store.with({ expires }).enqueue(1),
    );
    await booted.app.close();
    // The task has to expire while no process runs.
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    await start();
    const handle = booted.queue.handle(call.id);
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_EXPIRED' });
    expect(ran).toBe(false);
  });
});
