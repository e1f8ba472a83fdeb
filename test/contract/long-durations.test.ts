import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, Task, TaskAdmin, TaskContext, TaskSchedules, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

/** Longer than one timer of Node can wait (24.8 days): a timer that is set for longer fires at once. */
const MONTH = '30d';
const MONTH_MS = 30 * 86_400_000;

@Injectable()
class Work {
  static gate = new Gate();
  static runs = 0;

  constructor(private readonly task: TaskContext) {}

  @Task({ timeout: MONTH, slow: MONTH, expires: MONTH, resultTtl: MONTH })
  async train(): Promise<string> {
    await Work.gate.opened;
    return this.task.signal.aborted ? 'aborted' : 'trained';
  }

  @Task()
  async count(): Promise<number> {
    return ++Work.runs;
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: MONTH, max: MONTH, jitter: 0 } })
  async fail(): Promise<void> {
    Work.runs++;
    throw new Error('again in a month');
  }

  @Task()
  async snooze(): Promise<void> {
    Work.runs++;
    this.task.retry({ in: MONTH });
  }

  @Task({ queue: 'limited' })
  async limited(): Promise<number> {
    return ++Work.runs;
  }

  @Task()
  async other(): Promise<void> {
    // Later than a timer that fires at once.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describeEachEngine('a duration of a month', (engine) => {
  let place: Place;
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    place = await engine.place();
    booted = await boot({ ...place, queues: { limited: { rateLimit: { max: 1, per: MONTH } } } }, [Work]);
    work = booted.queue.of(Work);
  });
  afterAll(() => booted.app.close());
  beforeEach(() => {
    Work.gate = new Gate();
    Work.runs = 0;
  });

  const isIn = async (handle: TaskHandle, state: string) =>
    until(async () => (await handle.status()).state === state, `the task is ${state}`);
  /** Another task has run from begin to end meanwhile. */
  const meanwhile = async () => (await work.other.enqueue()).result({ timeout: '15s' });

  it('is a timeout, an expiry time, a retention and a wait that do not end at once', async () => {
    const handle = await work.train.enqueue();
    const result = handle.result({ timeout: MONTH });
    await isIn(handle, 'running');
    await meanwhile();
    Work.gate.open();
    await expect(result).resolves.toBe('trained');
    const { finishedAt, expiresAt } = await handle.status();
    expect(Date.parse(expiresAt as string) - Date.parse(finishedAt as string)).toBe(MONTH_MS);
  });

  it('is a delay, after which a task or a step of a workflow would run', async () => {
    const delayed = await work.count.with({ delay: MONTH }).enqueue();
    const whole = await chain(work.other.signature(), work.count.with({ delay: MONTH }).signature()).enqueue();
    await meanwhile();
    await isIn(delayed, 'scheduled');
    await until(async () => (await whole.status()).state === 'scheduled', 'the second step waits for its time');
    expect(Work.runs).toBe(0);
    await booted.app.get(TaskAdmin).promote(delayed.id);
    await expect(delayed.result({ timeout: '15s' })).resolves.toBe(1);
    await whole.cancel();
  });

  it('is a pause before the next attempt', async () => {
    const handles: TaskHandle[] = [await work.fail.enqueue(), await work.snooze.enqueue()];
    for (const handle of handles) await isIn(handle, 'retrying');
    await meanwhile();
    for (const handle of handles) expect((await handle.status()).state).toBe('retrying');
    expect(Work.runs).toBe(2);
    for (const handle of handles) await handle.cancel();
  });

  it('is the period of a schedule', async () => {
    const schedules = booted.app.get(TaskSchedules);
    await schedules.upsert('monthly', { task: work.count, args: [], every: MONTH });
    await meanwhile();
    const { nextRun, lastRun } = (await schedules.get('monthly'))!;
    expect(Date.parse(nextRun as string)).toBeGreaterThan(Date.now());
    expect(lastRun).toBeNull();
    expect(Work.runs).toBe(0);
    await schedules.remove('monthly');
  });

  it('is the window of a rate limit', async () => {
    const first = await work.limited.enqueue();
    await expect(first.result({ timeout: '15s' })).resolves.toBe(1);
    const second = await work.limited.enqueue();
    await meanwhile();
    expect((await second.status()).state).toBe('queued');
    await second.cancel();
  });

  it.each(['enqueueTimeout', 'abandonedAfter'] as const)('is refused by name as %s', async (option) => {
    if (engine.name === 'embedded') return;
    await expect(boot({ ...place, [option]: MONTH }, [])).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: `${option} is "${MONTH}". Give at most '24d'.`,
    });
  });
});
