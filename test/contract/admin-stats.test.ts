import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  group,
  InvalidArgumentsError,
  Task,
  TaskAdmin,
  type Tasks,
  type StatsOptions,
  type TaskStats,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  @Task({ queue: 'mail' })
  send(): void {}

  @Task({ queue: 'mail', retries: 1, backoff: { type: 'fixed', delay: 0 } })
  bounce(): void {
    throw new Error('no such address');
  }

  @Task()
  build(): void {}
}

const COUNTS = ['enqueued', 'succeeded', 'failed', 'retried', 'cancelled', 'expired'] as const;

/** The sums of a series, so that a minute that ends during a test does not matter. */
function sumsOf(series: readonly TaskStats[]): number[] {
  return COUNTS.map((count) => series.reduce((sum, point) => sum + point[count], 0));
}

describeEachEngine('TaskAdmin.stats()', (engine) => {
  let place: Place;
  let booted: Booted;
  let work: Tasks<Work>;
  let admin: TaskAdmin;

  /** A caller may get a result a moment before the worker counts it. */
  const counted = (sums: readonly number[], options: StatsOptions = {}) =>
    until(async () => String(sumsOf(await admin.stats(options))) === String(sums), `the sums are ${String(sums)}`);

  beforeAll(async () => {
    place = await engine.place();
    booted = await boot(place, [Work]);
    work = booted.queue.of(Work);
    admin = booted.app.get(TaskAdmin);
    const handles = await Promise.all([work.send.enqueue(), work.send.enqueue(), work.build.enqueue()]);
    await Promise.all(handles.map((handle) => handle.result()));
    await (await work.bounce.enqueue()).result().catch(() => undefined);
    const later = await work.send.with({ delay: '1h' }).enqueue();
    await later.cancel();
    // A worker clears the cancelled task away, and counts it then.
    await counted([5, 3, 1, 1, 1, 0]);
  });
  afterAll(() => booted.app.close());

  it('counts what happened to tasks, by queue and name', async () => {
    expect(sumsOf(await admin.stats())).toEqual([5, 3, 1, 1, 1, 0]);
    expect(sumsOf(await admin.stats({ queue: 'mail' }))).toEqual([4, 2, 1, 1, 1, 0]);
    expect(sumsOf(await admin.stats({ name: 'Work.build' }))).toEqual([1, 1, 0, 0, 0, 0]);
    expect(sumsOf(await admin.stats({ queue: 'mail', name: 'Work.build' }))).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('measures how long tasks waited and ran', async () => {
    const [point] = (await admin.stats({ name: 'Work.send' })).filter(({ succeeded }) => succeeded > 0);
    for (const { p50, p95, p99 } of [point?.wait, point?.run] as TaskStats['run'][]) {
      expect(p50).toBeGreaterThanOrEqual(0);
      expect(p95).toBeGreaterThanOrEqual(p50 ?? 0);
      expect(p99).toBeGreaterThanOrEqual(p95 ?? 0);
      expect(p99).toBeLessThan(60_000);
    }
    const [empty] = await admin.stats({ queue: 'unknown' });
    expect(empty).toMatchObject({ succeeded: 0, run: { p50: null, p95: null, p99: null } });
  });

  it('gives the points of a range, one for each step', async () => {
    const to = new Date();
    const series = await admin.stats({ from: to.getTime() - 3_600_000, to, step: '10m' });
    const times = series.map(({ at }) => Date.parse(at));
    expect(times.every((time) => time % 600_000 === 0)).toBe(true);
    expect(times.slice(1).every((time, index) => time - (times[index] ?? 0) === 600_000)).toBe(true);
    expect(sumsOf(series)).toEqual([5, 3, 1, 1, 1, 0]);
    const yesterday = { from: to.getTime() - 90_000_000, to: to.getTime() - 80_000_000 };
    expect(sumsOf(await admin.stats(yesterday))).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('refuses a wrong range', async () => {
    await expect(admin.stats({ from: 'soon' })).rejects.toThrow(InvalidArgumentsError);
    await expect(admin.stats({ from: 2, to: 1 })).rejects.toThrow('is not before to');
    await expect(admin.stats({ step: '90s' })).rejects.toThrow('Give a whole number of minutes');
    await expect(admin.stats({ step: 'never' as '1m' })).rejects.toThrow(InvalidArgumentsError);
    await expect(admin.stats({ from: 0, step: '1m' })).rejects.toThrow('Give a longer step');
  });

  it('gives queues() its recent figures, and the split of the tasks that failed', async () => {
    const mail = (await admin.queues()).find(({ name }) => name === 'mail');
    expect(mail?.lastHour).toEqual({ succeeded: 2, failed: 1, retried: 1 });
    expect(mail?.lastMinute.succeeded).toBeLessThanOrEqual(2);
    expect(mail?.counts.split).toEqual({ failed: 1, cancelled: 1, expired: 0, since: expect.any(String) });
  });

  it('counts the members of a workflow', async () => {
    const before = sumsOf(await admin.stats({ name: 'Work.build' }));
    await (await booted.queue.enqueue(group([work.build.signature(), work.build.signature()]))).result();
    await counted(
      before.map((count, index) => (index < 2 ? count + 2 : count)),
      { name: 'Work.build' },
    );
  });

  it('keeps what a process counted when it has closed', async () => {
    const before = sumsOf(await admin.stats({ name: 'Work.build' }));
    await (await work.build.enqueue()).result();
    await booted.app.close();
    booted = await boot(place, [Work]);
    admin = booted.app.get(TaskAdmin);
    await counted(
      before.map((count, index) => (index < 2 ? count + 1 : count)),
      { name: 'Work.build' },
    );
  });
});

describeEachEngine('stats: false', (engine) => {
  it('counts nothing', async () => {
    const { app, queue } = await boot({ ...(await engine.place()), stats: false }, [Work]);
    try {
      await (await queue.of(Work).build.enqueue()).result();
      expect(sumsOf(await app.get(TaskAdmin).stats())).toEqual([0, 0, 0, 0, 0, 0]);
    } finally {
      await app.close();
    }
  });
});
