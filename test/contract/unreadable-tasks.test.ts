import { getQueueToken } from '@nestjs/bullmq';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { group, Task, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachDatabase } from '../support/engines.js';
import { until } from '../support/until.js';
import { LogLines } from '../support/log-lines.js';
import { both, damage, damagesOf, type Damage } from '../support/damaged-jobs.js';
import { storedJobs, type StoredJobs } from '../support/stored-jobs.js';

@Injectable()
class Work {
  readonly runs: string[] = [];

  @Task()
  async echo(text: string): Promise<string> {
    this.runs.push(text);
    return text;
  }

  @Task()
  async fail(): Promise<void> {
    throw new Error('declined');
  }

  @Task({ unique: { while: 'running' } })
  async unique(): Promise<string> {
    return 'unique';
  }

  @Task()
  async secret(): Promise<void> {
    this.runs.push('secret');
  }
}

/** Milliseconds in which two tasks of each damage and a good one behind them have to end, on a slow machine. */
const ALL_WITHIN = 10_000;

describeEachDatabase('a task that cannot be read', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let runs: string[];
  let queue: Queue;
  let stored: StoredJobs;

  beforeAll(async () => {
    const place = await engine.place();
    // A task that waited for the end of its lock would exceed the time limits of the tests.
    booted = await boot({ ...place, abandonedAfter: '30s' }, [Work]);
    work = booted.queue.of(Work);
    runs = booted.app.get(Work).runs;
    queue = booted.app.get(getQueueToken('default'));
    stored = storedJobs(engine, place, booted);
  });
  afterAll(async () => {
    await stored.close();
    await booted.app.close();
  });

  /** Enqueues tasks while no worker takes any, and damages them. */
  async function damagedTasks(what: Damage, count = 1): Promise<TaskHandle[]> {
    await queue.pause();
    const handles = await work.echo.enqueueMany(Array.from({ length: count }, () => ['damaged'] as const));
    await Promise.all(handles.map(({ id }) => damage(engine, stored, what, id)));
    return handles;
  }

  const damages = damagesOf(engine);

  describe.each(damages)('has $what', (what) => {
    const { says, code = 'UNREADABLE_TASK', isFoundByWorker } = what;
    const failed = { state: 'failed', error: { code, message: expect.stringMatching(says) as unknown } };

    it('fails at once, and can be looked up, cancelled, retried and removed before a worker took it and after', async () => {
      const [handle] = (await damagedTasks(what)) as [TaskHandle];
      const isStored = await handle.status().catch(missing);
      if (isStored && !isFoundByWorker) {
        await expect(handle.status()).resolves.toMatchObject(failed);
        await expect(handle.cancel()).resolves.toMatchObject(failed);
        await expect(handle.retry()).resolves.toMatchObject(failed);
        await expect(handle.forget()).resolves.toBe(true);
        await expect(handle.status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
      } else {
        await handle.cancel().catch(missing);
        await handle.retry().catch(missing);
      }
      await queue.resume();

      const [taken] = (await damagedTasks(what)) as [TaskHandle];
      await queue.resume();
      await untilTaken(taken);
      await expect(taken.result()).rejects.toMatchObject({ code: 'TASK_FAILED', cause: failed.error });
      await expect(taken.cancel()).resolves.toMatchObject(failed);
      await taken.retry();
      await untilTaken(taken);
      await expect(taken.forget()).resolves.toBe(true);
      await expect(taken.status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    });
  });

  it('holds no other task up, and its method does not run', async () => {
    const handles: TaskHandle[] = [];
    for (const what of damages) handles.push(...(await damagedTasks(what, 2)));
    const good = await work.echo.enqueue('good');
    runs.length = 0;
    const resumed = performance.now();
    await queue.resume();
    await expect(good.result({ timeout: '15s' })).resolves.toBe('good');
    for (const handle of handles) await untilTaken(handle);
    expect(performance.now() - resumed).toBeLessThan(ALL_WITHIN);
    expect(runs).toEqual(['good']);
  });

  it('that has ended is reported as failed, without its result', async () => {
    const handle = await work.echo.enqueue('done');
    await handle.result({ timeout: '15s' });
    const broken: Damage =
      engine.name === 'redis'
        ? { what: '', redis: { returnvalue: '{{{{' }, says: /returnvalue/ }
        : { what: '', postgres: { finished_at_ms: '-1' }, says: /finishedOn/ };
    await damage(engine, stored, broken, handle.id);
    await expect(handle.status()).resolves.toMatchObject({ state: 'failed', error: { code: 'UNREADABLE_TASK' } });
    await expect(handle.result()).rejects.toThrow(broken.says);
    await expect(handle.forget()).resolves.toBe(true);
  });

  it('and whose failure is not one of this package has failed with the reason that is stored', async () => {
    const handle = await work.fail.enqueue();
    await handle.result({ timeout: '15s' }).catch(() => undefined);
    const stacks = JSON.stringify(['Error: x\n{"name":5,"member":{"id":1}}']);
    await damage(
      engine,
      stored,
      {
        what: '',
        redis: { failedReason: 'kaput', stacktrace: stacks },
        postgres: { failed_reason: 'kaput', stacktrace: stacks },
        says: /kaput/,
      },
      handle.id,
    );
    await expect(handle.status()).resolves.toMatchObject({
      state: 'failed',
      error: { name: 'Error', message: 'kaput' },
    });
    await expect(handle.result()).rejects.toThrow(/kaput/);
  });

  it('makes the workflow fail that waits for it', async () => {
    await queue.pause();
    const whole = await group([work.echo.signature('good'), work.echo.signature('damaged')]).enqueue();
    const [, member] = await whole.children();
    await damage(engine, stored, { what: '', ...both('opts', 'x'), says: /opts/ }, member!.id);
    await queue.resume();
    await expect(whole.result({ timeout: '15s' })).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      member: { id: member!.id },
      cause: { code: 'UNREADABLE_TASK' },
    });
  });

  /** Resolves once a worker has ended the task. The status says "failed" even before. */
  async function untilTaken({ id }: TaskHandle): Promise<void> {
    const ended = async () => ['failed', 'completed'].includes(await queue.getBackend().getState(id));
    await until(ended, `task ${id} has ended`, 15_000);
  }
});

describeEachDatabase('a task of a newer version of this package', (engine) => {
  let booted: Booted;
  const log = new LogLines();

  afterAll(() => booted.app.close());

  it('is left to the workers of that version, and is not failed', async () => {
    const place = await engine.place();
    booted = await boot(place, [Work]);
    booted.app.useLogger(log);
    const work = booted.queue.of(Work);
    const queue = booted.app.get<Queue>(getQueueToken('default'));
    const stored = storedJobs(engine, place, booted);
    await queue.pause();
    const handles = await work.echo.enqueueMany([['newer'], ['newer']]);
    const newer = JSON.stringify({ v: 2, args: ['newer'], headers: {}, cancelled: 'in another form' });
    const opts = JSON.stringify({ attempts: 2, task: { backoff: 'in another form' } });
    for (const { id } of handles) await stored.change(id, { data: newer, opts });
    await queue.resume();
    const starts = async (id: string) => (await queue.getBackend().getJobData(id))?.attemptsStarted ?? 0;
    for (const { id } of handles) await until(async () => (await starts(id)) > 0, 'a worker has seen the task');
    await expect((await work.echo.enqueue('good')).result({ timeout: '15s' })).resolves.toBe('good');
    for (const handle of handles) {
      const status = await handle.status();
      expect(status).toMatchObject({ name: 'Work.echo', error: null, attempt: 0, finishedAt: null });
      expect(['queued', 'retrying', 'running']).toContain(status.state);
    }
    expect(booted.app.get(Work).runs).toEqual(['good']);
    expect(log.lines.filter((line) => line.includes('newer version'))).toEqual([
      expect.stringMatching(/^WARN Task Work.echo \(\S+\) was stored by a newer version .* \(format 2, .* up to 1\)/),
    ]);
    // An update of this process understands the task again.
    for (const { id } of handles) await stored.change(id, { data: JSON.stringify({ args: ['known'] }), opts: '{}' });
    for (const handle of handles) await expect(handle.result({ timeout: '15s' })).resolves.toBe('known');
    await stored.close();
  });
});

/** @returns undefined for a task that is not stored */
function missing(error: unknown): undefined {
  if ((error as { code?: string }).code !== 'TASK_NOT_FOUND') throw error;
}
