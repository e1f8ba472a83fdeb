import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  chain,
  EngineUnavailableError,
  group,
  Schedule,
  Task,
  TaskAdmin,
  TaskSchedules,
  TaskQueue,
  type TaskHandle,
  type Tasks,
} from 'nestjs-task-queue';
import { boot } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

@Injectable()
class Work {
  @Task()
  async echo(value: number): Promise<number> {
    return value;
  }
}

/** Milliseconds. "At once", on a slow machine: less than a call to a store that cannot be reached takes. */
const AT_ONCE = 4_000;

/** The error of a call, or what else happened within {@link AT_ONCE} or another limit. */
async function errorOf(call: () => Promise<unknown>, limit = AT_ONCE): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const noAnswer = new Promise((resolve) => (timer = setTimeout(() => resolve('no answer'), limit)));
  try {
    return await Promise.race([call().then((value) => ({ value })), noAnswer]);
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
  }
}

describeEachEngine('a closed application', (engine) => {
  let queue: TaskQueue;
  let schedules: TaskSchedules;
  let admin: TaskAdmin;
  let work: Tasks<Work>;
  let finished: TaskHandle<number>;
  let delayed: TaskHandle<number>;
  let workflow: TaskHandle<number[]>;
  /** Calls that were under way when the application was closed. */
  let underWay: Promise<PromiseSettledResult<unknown>[]>;
  let closeTook: number;
  let underWayTook: number;

  beforeAll(async () => {
    const booted = await boot(await engine.place(), [Work]);
    queue = booted.queue;
    schedules = booted.app.get(TaskSchedules);
    admin = booted.app.get(TaskAdmin);
    work = queue.of(Work);
    finished = await work.echo.enqueue(1);
    delayed = await work.echo.with({ delay: '1h' }).enqueue(1);
    workflow = await group([work.echo.signature(1), work.echo.with({ delay: '1h' }).signature(2)]).enqueue();
    await schedules.upsert('yearly', { task: work.echo, args: [1], cron: '0 0 1 1 *' });
    await finished.result();
    const began = performance.now();
    underWay = Promise.allSettled([
      ...Array.from({ length: 100 }, () => finished.status()),
      ...Array.from({ length: 100 }, (_, index) => work.echo.enqueue(index)),
      delayed.result(),
      delayed.updates().next(),
      workflow.children(),
      schedules.list(),
    ]);
    void underWay.then(() => (underWayTook = performance.now() - began));
    await booted.app.close();
    closeTook = performance.now() - began;
  });
  // The test of the calls under way waits for them too.
  afterAll(() => underWay);

  it.each<[what: string, call: () => Promise<unknown>]>([
    ['handle.result()', () => finished.result()],
    ['handle.result() of a waiting task', () => delayed.result()],
    ['handle.result({ timeout })', () => delayed.result({ timeout: '1h' })],
    ['handle.result() of an unknown text', () => queue.handle('unknown').result()],
    ['handle.updates()', () => delayed.updates().next()],
    ['handle.status()', () => finished.status()],
    ['handle.cancel()', () => delayed.cancel()],
    ['handle.retry()', () => delayed.retry()],
    ['handle.forget()', () => finished.forget()],
    ['handle.children()', () => workflow.children()],
    ['enqueue()', () => work.echo.enqueue(1)],
    ['enqueueMany()', () => work.echo.enqueueMany([[1], [2]])],
    ['signature.enqueue()', () => work.echo.signature(1).enqueue()],
    ['taskQueue.enqueue(signature)', () => queue.enqueue(chain(work.echo.signature(1), work.echo.signature()))],
    ['taskQueue.enqueue(group)', () => queue.enqueue(group([work.echo.signature(1)]))],
    ['taskQueue.enqueue(empty group)', () => queue.enqueue(group([]))],
    ['schedules.list()', () => schedules.list()],
    ['schedules.get()', () => schedules.get('yearly')],
    ['schedules.upsert()', () => schedules.upsert('other', { task: work.echo, args: [1], every: '1h' })],
    ['schedules.pause()', () => schedules.pause('yearly')],
    ['schedules.resume()', () => schedules.resume('yearly')],
    ['schedules.remove()', () => schedules.remove('yearly')],
    ['schedules.runNow()', () => schedules.runNow('yearly')],
    ['schedules.runs()', () => schedules.runs('yearly')],
    ['admin.tasks()', () => admin.tasks({ state: 'scheduled' })],
    ['admin.task()', () => admin.task(delayed.id)],
    ['admin.workflow()', () => admin.workflow(workflow.id)],
    ['admin.logs()', () => admin.logs(finished.id)],
    ['admin.followLogs()', () => admin.followLogs(delayed.id)[Symbol.asyncIterator]().next()],
    ['admin.queues()', () => admin.queues()],
    ['admin.workers()', () => admin.workers()],
    ['admin.errors()', () => admin.errors()],
    ['admin.stats()', () => admin.stats({})],
    ['admin.pause()', () => admin.pause('default')],
    ['admin.retry()', () => admin.retry(finished.id)],
    ['admin.promote()', () => admin.promote(delayed.id)],
    ['admin.update()', () => admin.update(delayed.id, { delay: 0 })],
    ['admin.cancelAll()', () => admin.cancelAll({ state: 'scheduled' })],
    ['admin.purge()', () => admin.purge('default')],
    ['admin.shutdown()', () => admin.shutdown('any')],
  ])('%s is rejected at once', async (_, call) => {
    const error = await errorOf(call);
    expect(error).toBeInstanceOf(EngineUnavailableError);
    expect((error as Error).message).toContain('is closed');
  });

  it('calls that were under way end with the application', async () => {
    for (const end of await underWay) {
      if (end.status === 'rejected') expect(end.reason).toBeInstanceOf(EngineUnavailableError);
    }
    expect(underWayTook).toBeLessThan(closeTook + AT_ONCE);
  });
});

describeEachEngine('an application that does not start', (engine) => {
  it('rejects a wait that began before its start failed', async () => {
    const place = await engine.place();
    // Only one application may open an embedded database, and one that is being created is closed when it is complete.
    if (engine.name === 'embedded') return;
    const earlier = await boot(place, [Work]);
    const { id } = await earlier.queue.of(Work).echo.with({ delay: '1h' }).enqueue(1);

    @Injectable()
    class Waiting {
      constructor(queue: TaskQueue) {
        waits.push(errorOf(() => queue.handle(id).result(), 20_000));
      }

      @Schedule('not a cron expression')
      @Task()
      async tick(): Promise<void> {}
    }
    const waits: Promise<unknown>[] = [];
    await expect(boot(place, [Waiting])).rejects.toThrow('not a cron expression');
    expect(await Promise.all(waits)).toEqual([expect.any(EngineUnavailableError)]);
    await earlier.app.close();
  });
});
