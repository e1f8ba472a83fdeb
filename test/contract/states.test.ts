import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, type TaskHandle, type TaskStatus, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

@Injectable()
class Work {
  constructor(private readonly task: TaskContext) {}

  /** Fails `failures` times, and then ends well. */
  @Task({ retries: 3, backoff: { type: 'fixed', delay: 5 } })
  async flaky(failures: number): Promise<number> {
    await new Promise(setImmediate);
    if (this.task.attempt <= failures) throw new Error('again');
    return this.task.attempt;
  }
}

const FINAL = ['succeeded', 'failed', 'cancelled', 'expired'];
/** A task goes back from running to retrying only, and only to begin its next attempt. */
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  scheduled: ['scheduled'],
  queued: ['scheduled', 'queued'],
  running: ['scheduled', 'queued', 'running', 'retrying'],
  retrying: ['scheduled', 'queued', 'running', 'retrying'],
};

/** What is wrong with a status by itself, or after the status before it. */
function faultOf(status: TaskStatus, before: TaskStatus | undefined): string | undefined {
  const { state, startedAt, finishedAt, attempt } = status;
  const isFinal = FINAL.includes(state);
  const hasStarted = ['running', 'retrying', 'succeeded', 'failed'].includes(state);
  if (before && FINAL.includes(before.state) && state !== before.state) return 'a final state changed';
  if (before && !isFinal && !BEFORE[state]?.includes(before.state)) return 'the state went back';
  if (before && attempt < before.attempt) return 'the attempt went back';
  if (hasStarted && startedAt === null) return 'it started at no time';
  if (isFinal !== (finishedAt !== null)) return 'the time of the end does not fit the state';
  return undefined;
}

describeEachEngine('the states of a task', (engine) => {
  let worker: Booted;
  let web: Booted;
  let work: Tasks<Work>;
  // Readers and worker share the one thread of the embedded engine.
  const rounds = engine.name === 'embedded' ? 2 : 4;

  beforeAll(async () => {
    const options = await engine.place();
    worker = await boot({ ...options, queues: { default: { concurrency: 20 } } }, [Work]);
    web = engine.name === 'embedded' ? worker : await boot({ ...options, role: 'producer' });
    work = web.queue.of(Work);
  });
  afterAll(() => Promise.all([web.app.close(), worker.app.close()]));

  /** Reads the status again and again until it is final. @returns the faults of the statuses */
  async function observe(handle: TaskHandle, before?: TaskStatus): Promise<string[]> {
    const faults: string[] = [];
    let finals = 0;
    for (let reads = 0; reads < 5_000; reads++) {
      const status = await handle.status();
      const fault = faultOf(status, before);
      if (fault !== undefined) faults.push(`${fault}: ${JSON.stringify([before, status])}`);
      const wasFinal = before && FINAL.includes(before.state);
      before = status;
      // Some readings more: a worker may still clear the job of a cancelled task away.
      if (wasFinal && finals++ > 3) return faults;
    }
    throw new Error(`The task is still ${before?.state}.`);
  }

  it('go forward only, and each status is what was stored at one moment', async () => {
    const faults: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const handles = await work.flaky.enqueueMany(Array.from({ length: 40 }, (_, n) => [n % 5] as [number]));
      faults.push(...(await Promise.all(handles.map((handle) => observe(handle)))).flat());
    }
    expect(faults.slice(0, 5)).toEqual([]);
  }, 60_000);

  it('stay final once a cancel has answered with a final state, also while a worker takes the task', async () => {
    const faults: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const handles = await work.flaky.enqueueMany(Array.from({ length: 60 }, (_, n) => [n % 5] as [number]));
      const observed = handles.map(async (handle, n) => {
        // The requests come at different moments: while the task waits, is taken, runs, or is over.
        for (let turn = 0; turn < n; turn++) await new Promise(setImmediate);
        const cancelled = await handle.cancel();
        return observe(handle, FINAL.includes(cancelled.state) ? cancelled : undefined);
      });
      faults.push(...(await Promise.all([...observed, ...handles.map((handle) => observe(handle))])).flat());
    }
    expect(faults.slice(0, 5)).toEqual([]);
  }, 60_000);
});
