import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskSchedules } from 'nestjs-task-queue';
import type { Engine } from '../../lib/engine/engine.js';
import { ENGINE } from '../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Recorder } from '../support/recorder.js';
import { until } from '../support/until.js';

const MANY = 1_500;

@Injectable()
class Work {
  readonly runs = new Recorder<string>();

  @Task()
  digest(user: string): void {
    this.runs.record(user);
  }
}

/** An application may have a schedule for each of its users. */
describeEachEngine('many schedules', (engine) => {
  let booted: Booted;
  let schedules: TaskSchedules;
  let work: Work;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 50 } } }, [Work]);
    schedules = booted.app.get(TaskSchedules);
    work = booted.app.get(Work);
  });
  afterAll(() => booted.app.close());

  const id = (user: number) => `digest-${String(user).padStart(5, '0')}`;
  const set = (user: number, cron = '0 8 * * 1') =>
    schedules.upsert(id(user), { task: 'Work.digest', cron, timezone: 'America/New_York', args: [String(user)] });

  it('all of many upserts at once succeed', async () => {
    const set1500 = await Promise.all(Array.from({ length: MANY }, (_, user) => set(user)));
    expect(set1500.map(({ id: made }) => made)).toEqual(Array.from({ length: MANY }, (_, user) => id(user)));
  });

  it('list() returns all of them, or one page after the other', async () => {
    const all = await schedules.list();
    expect(all).toHaveLength(MANY);
    const first = await schedules.list({ limit: 700 });
    const second = await schedules.list({ limit: 700, after: first.at(-1)?.id });
    const third = await schedules.list({ limit: 700, after: second.at(-1)?.id });
    expect([...first, ...second, ...third].map((one) => one.id)).toEqual(all.map((one) => one.id));
    expect(third).toHaveLength(100);
    await expect(schedules.list({ limit: 0 })).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });

  it('a call reads what is stored of its own schedule, and not of the others', async () => {
    const { schedules: store } = booted.app.get<Engine>(ENGINE);
    const [scan, get] = [jest.spyOn(store, 'scan'), jest.spyOn(store, 'get')];
    for (let user = 0; user < 10; user++) {
      await set(user, '0 9 * * 1');
      await schedules.get(id(user));
      await schedules.pause(id(user));
      await schedules.resume(id(user));
    }
    // Every ten seconds the worker reads all of them.
    expect(scan.mock.calls.filter(([cursor]) => cursor === undefined).length).toBeLessThanOrEqual(1);
    expect(Math.max(...get.mock.calls.map(([keys]) => keys.length))).toBeLessThan(30);
    jest.restoreAllMocks();
  });

  it('a change of one of them reaches the workers, and its ticks run', async () => {
    await set(7, '* * * * * *');
    await work.runs.until((runs) => runs.includes('7'));
    // The worker stores the tick after it has enqueued the task.
    await until(async () => (await schedules.get(id(7)))?.lastRun?.tick !== undefined, 'the run is recorded');
    await expect(schedules.pause(id(7))).resolves.toMatchObject({ paused: true, nextRun: null });
    await expect(schedules.remove(id(7))).resolves.toBe(true);
    await expect(schedules.list({ after: id(6), limit: 1 })).resolves.toMatchObject([{ id: id(8) }]);
  });

  it('all ticks of one moment run once', async () => {
    const users = Array.from({ length: 600 }, (_, user) => user + 100);
    const from = work.runs.entries.length;
    const at = new Date(Math.ceil((Date.now() + 4_000) / 1_000) * 1_000);
    await Promise.all(users.map((user) => set(user, `${at.getUTCSeconds()} ${at.getUTCMinutes()} * * * *`)));
    const runs = await work.runs.until((all) => new Set(all.slice(from)).size >= users.length);
    expect(runs.slice(from).toSorted()).toEqual(users.map(String).toSorted());
  });

  it('all of many can be removed at once', async () => {
    const removed = await Promise.all(Array.from({ length: MANY }, (_, user) => schedules.remove(id(user))));
    expect(removed.filter(Boolean)).toHaveLength(MANY - 1);
    await expect(schedules.list()).resolves.toEqual([]);
  });
});
