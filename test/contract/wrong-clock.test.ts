import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Schedule, Task, TaskContext, TaskSchedules } from 'nestjs-task-queue';
import { ServerClock } from '../../lib/engine/bullmq/server-clock.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Recorder } from '../support/recorder.js';
import { until } from '../support/until.js';

const DAY = 24 * 3_600_000;
const EVERY = 200;
/** Milliseconds for a test that starts three applications, the embedded engine too. */
const TIME_LIMIT = 90_000;
const hostTime = Date.now.bind(Date);

@Injectable()
class Work {
  readonly ticks = new Recorder<{ schedule: string; tick: number }>();

  constructor(private readonly context: TaskContext) {}

  @Schedule({ every: EVERY }, { id: 'declared' })
  @Task()
  async tick(): Promise<void> {
    const { schedule = '', 'schedule-tick': tick = '' } = this.context.headers;
    this.ticks.record({ schedule, tick: Date.parse(tick) });
  }

  @Task({ queue: 'limited' })
  async limited(): Promise<void> {}

  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }
}

/** Sets the clock of this process. */
function putClockAhead(milliseconds: number): void {
  jest.spyOn(Date, 'now').mockImplementation(() => hostTime() + milliseconds);
}

describeEachEngine('a process whose clock is wrong', (engine) => {
  /** The engine is in the process: its clock is that of the process. */
  const hasOwnClock = engine.name === 'embedded' || engine.name === 'memory';
  let running: Booted | undefined;
  let place: Awaited<ReturnType<typeof engine.place>>;

  beforeEach(async () => void (place = await engine.place()));
  afterEach(async () => {
    jest.restoreAllMocks();
    await running?.app.close();
  });

  async function start(): Promise<{ app: Booted; work: Work; schedules: TaskSchedules }> {
    await running?.app.close();
    const queues = { default: { concurrency: 20 }, limited: { rateLimit: { max: 1, per: 300 } } };
    running = await boot({ ...place, results: { ttl: '1m' }, queues }, [Work]);
    return { app: running, work: running.app.get(Work), schedules: running.app.get(TaskSchedules) };
  }

  /** Waits until each schedule has three more ticks of the time that the host's clock shows. */
  async function ticksOnTime(work: Work, ids: readonly string[]): Promise<void> {
    const begun = hostTime();
    const onTime = (id: string) =>
      work.ticks.entries.filter(({ schedule, tick }) => schedule === id && tick > begun && tick <= hostTime());
    await until(() => ids.every((id) => onTime(id).length >= 3), `${ids.join(' and ')} tick on time`, 20_000);
  }

  it.each([DAY, -DAY])(
    'by %i ms leaves nothing behind that stops a schedule',
    async (ahead) => {
      putClockAhead(ahead);
      const wrong = await start();
      await wrong.schedules.upsert('made', { task: 'Work.tick', every: EVERY });
      await wrong.schedules.upsert('paused', { task: 'Work.tick', every: EVERY });
      await wrong.schedules.pause('paused');
      await wrong.schedules.resume('paused');
      await until(
        () => new Set(wrong.work.ticks.entries.map(({ schedule }) => schedule)).size === 3,
        'each schedule has a tick',
      );
      await running?.app.close();
      running = undefined;
      jest.restoreAllMocks();

      const right = await start();
      await ticksOnTime(right.work, ['declared', 'made', 'paused']);
      for (const { id, nextRun } of await right.schedules.list()) {
        expect([id, Math.abs(Date.parse(nextRun as string) - hostTime()) < 60_000]).toEqual([id, true]);
      }
    },
    TIME_LIMIT,
  );

  it.each([DAY, -DAY])(
    'by %i ms for a while runs its schedules on time afterwards',
    async (ahead) => {
      const { work, app } = await start();
      await ticksOnTime(work, ['declared']);
      putClockAhead(ahead);
      const before = work.ticks.entries.length;
      await until(() => work.ticks.entries.length > before + 3, 'the schedule ticks on', 20_000);
      jest.restoreAllMocks();
      await ticksOnTime(work, ['declared']);
      const task = await app.queue.of(Work).echo.enqueue('here');
      await expect(task.result({ timeout: '10s' })).resolves.toBe('here');
    },
    TIME_LIMIT,
  );

  it.each([DAY, -DAY])(
    'by %i ms for a while goes on in a queue with a rate limit, then and afterwards',
    async (ahead) => {
      const { app } = await start();
      const runTwo = async () => {
        const tasks = await app.queue.of(Work).limited.enqueueMany([[], []]);
        // An engine in the process removes results by the clock of the process, so only the end of the wait counts.
        const ends = tasks.map((task) => task.result({ timeout: '15s' }).catch(({ code }: { code: string }) => code));
        expect(await Promise.all(ends)).not.toContain('RESULT_TIMEOUT');
      };
      await runTwo();
      putClockAhead(ahead);
      await runTwo();
      jest.restoreAllMocks();
      await runTwo();
    },
    TIME_LIMIT,
  );

  it('measures its difference at the start, and not for each task', async () => {
    const measure = jest.spyOn(ServerClock.prototype, 'measure');
    putClockAhead(DAY);
    const { app } = await start();
    expect(measure.mock.calls.length > 0).toBe(!hasOwnClock);
    measure.mockClear();
    const tasks = await app.queue.of(Work).echo.enqueueMany(Array.from({ length: 50 }, () => ['many']));
    await Promise.all(tasks.map((task) => task.result({ timeout: '10s' })));
    expect(measure).not.toHaveBeenCalled();
  });

  it.each([DAY, -DAY])('by %i ms runs a delayed task on time and keeps its result', async (ahead) => {
    putClockAhead(ahead);
    const { app } = await start();
    const enqueuedAt = hostTime();
    const task = await app.queue.of(Work).echo.with({ delay: 500, expires: '1m' }).enqueue('later');
    await expect(task.result({ timeout: '10s' })).resolves.toBe('later');
    expect(hostTime() - enqueuedAt).toBeGreaterThanOrEqual(450);
    if (hasOwnClock) return;
    jest.restoreAllMocks();
    const status = await task.status();
    expect(status.state).toBe('succeeded');
    for (const time of [status.enqueuedAt, status.startedAt, status.finishedAt]) {
      expect(Math.abs(Date.parse(time as string) - hostTime())).toBeLessThan(60_000);
    }
  });
});
