import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, type Provider, type Type } from '@nestjs/common';
import {
  ConfigurationError,
  Schedule,
  ScheduleNotFoundError,
  Task,
  TaskContext,
  TaskSchedules,
  type ScheduledRun,
  type ScheduleStatus,
  type Tasks,
} from 'nestjs-task-queue';
import { setTimeout as sleep } from 'node:timers/promises';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { Recorder } from '../support/recorder.js';
import { until } from '../support/until.js';

interface Run {
  readonly schedule: string | undefined;
  readonly tick: string | undefined;
  readonly args: readonly unknown[];
}

@Injectable()
class Clockwork {
  readonly runs = new Recorder<Run>();
  readonly beside = new Recorder<number>();
  gate = new Gate();
  private running = 0;

  constructor(private readonly task: TaskContext) {}

  @Schedule('* * * * * *', { id: 'second', args: ['a', 1] })
  @Task()
  tick(...args: unknown[]): number {
    this.runs.record({ schedule: this.task.headers['schedule'], tick: this.task.headers['schedule-tick'], args });
    return args.length;
  }

  @Schedule('0 7 * * 1-5', { timezone: 'Europe/Berlin', args: ['morning'] })
  @Schedule('@monthly', { overlap: 'skip', catchUp: 'none', args: ['monthly'] })
  @Schedule({ every: '10m' }, { id: 'often' })
  @Task({ name: 'report', queue: 'reports', retries: 2 })
  report(kind = ''): string {
    return kind;
  }

  @Task()
  async hold(): Promise<void> {
    this.beside.record(++this.running);
    await this.gate.opened;
    this.running--;
  }

  @Task()
  fail(): void {
    throw Object.assign(new Error('no paper'), { code: 'E_PAPER' });
  }

  /** The runs of one schedule so far, once the condition is true for them. */
  async of(id: string, condition: (runs: readonly Run[]) => boolean): Promise<readonly Run[]> {
    const mine = (runs: readonly Run[]) => runs.filter(({ schedule }) => schedule === id);
    return mine(await this.runs.until((runs) => condition(mine(runs))));
  }
}

describeEachEngine('schedules', (engine) => {
  describe('while the application runs', () => {
    let booted: Booted;
    let work: Clockwork;
    let tasks: Tasks<Clockwork>;
    let schedules: TaskSchedules;

    beforeAll(async () => {
      booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 20 } } }, [Clockwork]);
      work = booted.app.get(Clockwork);
      tasks = booted.queue.of(Clockwork);
      schedules = booted.app.get(TaskSchedules);
    });
    afterAll(() => booted.app.close());

    /** The status once the condition is true for it. It polls, because a stored schedule triggers no event. */
    async function status(id: string, condition: (status: ScheduleStatus) => boolean): Promise<ScheduleStatus> {
      let found: ScheduleStatus | undefined;
      await until(
        async () => (found = await schedules.get(id)) !== undefined && condition(found),
        () => `the schedule ${id} has the expected status (it is ${JSON.stringify(found)})`,
      );
      return found as ScheduleStatus;
    }

    it('a decorated task runs once at each tick, with its arguments', async () => {
      const runs = await work.of('second', ({ length }) => length === 3);
      expect(runs.map(({ args }) => args)).toEqual([
        ['a', 1],
        ['a', 1],
        ['a', 1],
      ]);
      const [first, second, third] = runs.map(({ tick }) => Date.parse(tick as string)) as [number, number, number];
      expect(first % 1_000).toBe(0);
      expect([second, third]).toEqual([first + 1_000, first + 2_000]);
    });

    it('lastRun of a schedule has the id, the tick and the end of the last run', async () => {
      const { lastRun } = await status('second', ({ lastRun: last }) => last?.state === 'succeeded');
      const { id, tick, error } = lastRun as NonNullable<typeof lastRun>;
      expect({ tick: Number.isNaN(Date.parse(tick as string)), error }).toEqual({ tick: false, error: null });
      expect(id).toMatch(/^default\.[\w-]{22}$/);
      await expect(booted.queue.handle(id).status()).resolves.toMatchObject({
        name: 'Clockwork.tick',
        state: 'succeeded',
        result: 2,
      });
      await schedules.upsert('failing', { task: tasks.fail, cron: '@yearly' });
      const handle = await schedules.runNow('failing');
      await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_FAILED' });
      await expect(schedules.get('failing')).resolves.toMatchObject({
        lastRun: { id: handle.id, tick: null, state: 'failed', error: { message: 'no paper', code: 'E_PAPER' } },
      });
    });

    it('runs() has the last runs, the latest first, and those of runNow()', async () => {
      await work.of('second', (runs) => runs.length >= 3);
      let runs: readonly ScheduledRun[] = [];
      await until(async () => {
        runs = await schedules.runs('second', { limit: 2 });
        return runs.length === 2 && runs.every(({ state }) => state === 'succeeded');
      });
      const [latest, before] = runs as [ScheduledRun, ScheduledRun];
      expect(Date.parse(latest.tick as string) - Date.parse(before.tick as string)).toBeGreaterThanOrEqual(1_000);
      expect(await booted.queue.handle(before.id).result()).toBe(2);
      await schedules.upsert('paperless', { task: tasks.fail, every: '100d' });
      expect(await schedules.runs('paperless')).toEqual([]);
      const run = await schedules.runNow('paperless');
      await run.result().catch(() => undefined);
      expect(await schedules.runs('paperless')).toMatchObject([
        { id: run.id, tick: null, state: 'failed', error: { message: 'no paper' } },
      ]);
      await schedules.remove('paperless');
      await expect(schedules.runs('paperless')).rejects.toThrow(ScheduleNotFoundError);
      await expect(schedules.runs('second', { limit: 0 })).rejects.toThrow(/limit of schedules.runs\(\) is 0/);
    });

    it('list() contains the decorated schedules with their settings', async () => {
      const listed = (await schedules.list()).filter(({ task }) => task === 'report');
      expect(listed).toMatchObject([
        { id: 'often', expression: 'every 10m', every: 600_000, cron: null, args: [], source: 'decorator' },
        { id: 'report', expression: '0 7 * * 1-5', timezone: 'Europe/Berlin', args: ['morning'], queue: 'reports' },
        { id: 'report#2', cron: '@monthly', timezone: 'UTC', overlap: 'skip', catchUp: 'none', args: ['monthly'] },
      ]);
      const [often] = listed as [ScheduleStatus];
      expect(often).toMatchObject({ paused: false, runs: expect.any(Number) as unknown, limit: null, endsAt: null });
      expect(often.nextRun).toBe(often.nextRuns[0]);
      const times = often.nextRuns.map((time) => Date.parse(time));
      expect(times).toHaveLength(5);
      expect(times.every((time) => time % 600_000 === 0 && time > Date.now())).toBe(true);
    });

    it('a schedule can be made, changed and removed at run time', async () => {
      const made = await schedules.upsert('made', { task: tasks.tick, args: ['one'], every: '200ms' });
      expect(made).toMatchObject({ id: 'made', source: 'runtime', task: 'Clockwork.tick', lastRun: null, runs: 0 });
      await work.of('made', ({ length }) => length >= 2);
      const changed = await schedules.upsert('made', { task: tasks.tick, args: ['two'], every: '200ms', limit: 3 });
      expect(changed).toMatchObject({ args: ['two'], limit: 3, runs: 0 });
      const ended = await status('made', ({ runs }) => runs === 3);
      expect(ended).toMatchObject({ nextRun: null, nextRuns: [] });
      const runs = await work.of('made', (some) => some.filter(({ args }) => args[0] === 'two').length === 3);
      expect(new Set(runs.map(({ tick }) => tick)).size).toBe(runs.length);
      await expect(schedules.remove('made')).resolves.toBe(true);
      await expect(schedules.get('made')).resolves.toBeUndefined();
      await expect(schedules.remove('made')).resolves.toBe(false);
    });

    it('upsert() with the same settings changes nothing', async () => {
      const same = { task: tasks.tick, every: '200ms', limit: 2 } as const;
      await schedules.upsert('same', same);
      await status('same', ({ runs }) => runs === 2);
      await expect(schedules.upsert('same', same)).resolves.toMatchObject({ runs: 2, nextRun: null });
    });

    it('a schedule has no tick after endsAt', async () => {
      const endsAt = new Date(Date.now() + 1_000);
      const ending = await schedules.upsert('ending', { task: tasks.tick, every: '200ms', endsAt });
      expect(ending.endsAt).toBe(endsAt.toISOString());
      expect(ending.nextRuns.every((tick) => Date.parse(tick) <= endsAt.getTime())).toBe(true);
      const last = Math.floor(endsAt.getTime() / 200) * 200;
      const ticks = (runs: readonly Run[]) =>
        runs.map(({ tick }) => Date.parse(tick as string)).toSorted((a, b) => a - b);
      const runs = await work.of('ending', (some) => ticks(some).includes(last));
      expect(ticks(runs).at(-1)).toBe(last);
      await expect(schedules.get('ending')).resolves.toMatchObject({ nextRun: null });
    });

    it('a resumed schedule does not make up for the ticks of its pause', async () => {
      await schedules.upsert('pausing', { task: tasks.tick, every: '200ms' });
      await work.of('pausing', ({ length }) => length >= 1);
      await expect(schedules.pause('pausing')).resolves.toMatchObject({ paused: true, nextRun: null });
      const pausedAt = Date.now();
      // A second schedule shows that ticks were handled during the pause.
      await schedules.upsert('meanwhile', { task: tasks.tick, every: '200ms', limit: 3 });
      await status('meanwhile', ({ runs }) => runs === 3);
      const stillPausedAt = Date.now();
      await expect(schedules.resume('pausing')).resolves.toMatchObject({ paused: false });
      const resumedAt = Date.now();
      const isLater = ({ tick }: Run) => Date.parse(tick as string) > resumedAt;
      const runs = await work.of('pausing', (some) => some.some(isLater));
      const between = runs
        .map(({ tick }) => Date.parse(tick as string))
        .filter((tick) => tick > pausedAt && tick < stillPausedAt);
      expect(between).toEqual([]);
      await schedules.remove('pausing');
    });

    it('runNow() runs a schedule at once, also a paused one', async () => {
      await schedules.upsert('yearly', { task: tasks.tick, args: ['by hand'], cron: '@yearly' });
      await schedules.pause('yearly');
      const handle = await schedules.runNow('yearly');
      expect(handle).toMatchObject({ name: 'Clockwork.tick', deduplicated: false });
      await expect(handle.result({ timeout: '10s' })).resolves.toBe(1);
      const [run] = await work.of('yearly', ({ length }) => length === 1);
      expect(run).toEqual({ schedule: 'yearly', tick: undefined, args: ['by hand'] });
      await expect(schedules.get('yearly')).resolves.toMatchObject({
        paused: true,
        runs: 0,
        lastRun: { id: handle.id, tick: null },
      });
    });

    it('a schedule with overlap skip never runs twice at the same time, and lastSkip has the skipped tick', async () => {
      await schedules.upsert('alone', { task: tasks.hold, every: '200ms', overlap: 'skip' });
      const { lastSkip, lastRun } = await status('alone', (found) => found.lastSkip !== null);
      expect(lastSkip).toEqual({ tick: expect.any(String) as unknown, because: lastRun?.id });
      const again = await schedules.runNow('alone');
      expect(again).toMatchObject({ id: lastRun?.id, deduplicated: true });
      await schedules.pause('alone');
      expect(Math.max(...work.beside.entries)).toBe(1);
      work.gate.open();
      await again.result({ timeout: '10s' });
      const runs = work.beside.entries.length;
      await schedules.resume('alone');
      await work.beside.until(({ length }) => length > runs);
      expect(Math.max(...work.beside.entries)).toBe(1);
      await schedules.remove('alone');
    });

    it('a schedule without overlap skip may run twice at the same time', async () => {
      work.gate = new Gate();
      await schedules.upsert('together', { task: tasks.hold, every: '200ms', limit: 2 });
      await work.beside.until((counts) => counts.includes(2));
      work.gate.open();
    });

    it('upsert() refuses invalid settings, and names them in the error', async () => {
      const refused = (settings: object, text: string) =>
        expect(schedules.upsert('bad', { task: tasks.tick, ...settings } as never)).rejects.toMatchObject({
          code: 'CONFIGURATION',
          message: expect.stringContaining(text) as unknown,
        });
      await refused({ cron: '61 * * * *' }, 'Schedule "bad" has the cron expression "61 * * * *"');
      await refused({ cron: '@daily', timezone: 'Mars' }, 'timezone "Mars"');
      await refused({ every: '5 minutes' }, 'every of Schedule "bad"');
      await refused({ cron: '@daily', overlap: 'queue' }, 'overlap');
      await refused({ cron: '@daily', limit: 0 }, 'limit');
      await refused({ cron: '@daily', endsAt: new Date(NaN) }, 'endsAt');
      await refused({ cron: '@daily', task: tasks.tick.with({ delay: '1h' }) }, 'delay');
      await refused({ cron: '@daily', task: tasks.tick.with({ idempotencyKey: 'k' }) }, 'idempotencyKey');
      await expect(schedules.upsert('a b', { task: tasks.tick, cron: '@daily' })).rejects.toBeInstanceOf(
        ConfigurationError,
      );
      await expect(schedules.upsert('bad', { task: tasks.tick, args: [1n], cron: '@daily' })).rejects.toMatchObject({
        path: 'args[0]',
      });
      await expect(schedules.get('bad')).resolves.toBeUndefined();
    });

    it('a decorated schedule cannot be changed or removed at run time, and an unknown one is an error', async () => {
      await expect(schedules.upsert('second', { task: tasks.tick, cron: '@daily' })).rejects.toThrow(
        "schedules.pause('second')",
      );
      await expect(schedules.remove('second')).rejects.toThrow('@Schedule()');
      for (const method of ['pause', 'resume', 'runNow'] as const) {
        await expect(schedules[method]('nobody')).rejects.toBeInstanceOf(ScheduleNotFoundError);
      }
    });
  });

  describe('from one start to the next', () => {
    let running: Booted | undefined;
    afterEach(() => running?.app.close());

    async function start(place: Place, providers: Provider[]): Promise<Booted> {
      await running?.app.close();
      running = await boot(place, providers);
      return running;
    }

    it('a start keeps the schedules that were made at run time, and updates the decorated ones', async () => {
      const place = await engine.place();
      const before = (await start(place, [version({ same: '@daily', changes: '@daily', goes: '@daily' })])).app.get(
        TaskSchedules,
      );
      await before.upsert('made', { task: 'Version.task', cron: '@weekly', args: [1], limit: 5 });
      await before.pause('same');
      await before.pause('made');
      const { id } = await before.runNow('same');
      const after = (await start(place, [version({ same: '@daily', changes: '@hourly', comes: '@daily' })])).app.get(
        TaskSchedules,
      );
      expect((await after.list()).map(({ id: listed }) => listed)).toEqual(['changes', 'comes', 'made', 'same']);
      await expect(after.get('changes')).resolves.toMatchObject({ cron: '@hourly' });
      await expect(after.get('same')).resolves.toMatchObject({ paused: true, lastRun: { id } });
      await expect(after.get('made')).resolves.toMatchObject({ paused: true, source: 'runtime', args: [1], limit: 5 });
      await expect(after.resume('same')).resolves.toMatchObject({ paused: false, cron: '@daily' });
    });

    // Only one process at a time can open the embedded engine.
    if (engine.name !== 'embedded') {
      it('a deploy renames and removes schedules, and an old process that starts again restores none', async () => {
        const place = await engine.place();
        const before = version({ '': '@daily', goes: '@daily', stays: '@daily' }, 'before');
        const processes: Booted[] = [];
        const started = async (code: Type): Promise<TaskSchedules> => {
          processes.push(await boot(place, [code]));
          return (processes.at(-1) as Booted).app.get(TaskSchedules);
        };
        const ids = async (schedules: TaskSchedules) => (await schedules.list()).map(({ id }) => id);
        try {
          const old = await started(before);
          await old.upsert('made', { task: 'Version.before', cron: '@daily' });
          await old.pause('stays');
          expect(await ids(old)).toEqual(['Version.before', 'goes', 'made', 'stays']);
          const newer = await started(version({ '': '@daily', stays: '@daily' }, 'after'));
          const wanted = ['Version.after', 'made', 'stays'];
          expect(await ids(newer)).toEqual(wanted);
          const oldAgain = await started(before);
          expect(await ids(oldAgain)).toEqual(wanted);
          await expect(newer.get('stays')).resolves.toMatchObject({ paused: true, task: 'Version.after' });
          // A schedule that was made at run time stays, even when no process knows its task any more.
          await expect(newer.get('made')).resolves.toMatchObject({ task: 'Version.before', source: 'runtime' });
        } finally {
          await Promise.all(processes.map(({ app }) => app.close()));
        }
      });
    }

    it('a schedule makes up for missed ticks with one run, or with none', async () => {
      const place = await engine.place();
      const before = (await start(place, [Clockwork])).app.get(TaskSchedules);
      await before.upsert('one', { task: 'Clockwork.tick', every: '1s' });
      await before.upsert('none', { task: 'Clockwork.tick', every: '1s', catchUp: 'none' });
      await running?.app.close();
      const closed = Date.now();
      // Ticks have to pass while no application runs.
      await sleep(1_500);
      const started = Date.now();
      const work = (await start(place, [Clockwork])).app.get(Clockwork);
      // Without those of the first application: it may have enqueued tasks that ran only now.
      const ticks = (id: string) =>
        work.runs.entries
          .filter(({ schedule }) => schedule === id)
          .map(({ tick }) => Date.parse(tick as string))
          .filter((tick) => tick > closed)
          .toSorted((a, b) => a - b);
      await until(
        () => ticks('one').length > 2 && ticks('none').length > 1,
        () => `runs: ${ticks('one').join()} and ${ticks('none').join()}`,
      );
      // The additional run belongs to the last tick that was missed. While a busy store answers slowly, more ticks are missed.
      const [one, none] = [ticks('one'), ticks('none')];
      expect(one[0]).toBeLessThan(none[0] as number);
      expect(one.filter((tick) => tick <= started).length).toBeLessThanOrEqual(1);
      expect(none.filter((tick) => tick <= started)).toEqual([]);
    }, 60_000);

    // One application in each test: on a busy machine an embedded database takes seconds to start.
    it.each<[what: string, provider: () => Type, says: string]>([
      ['its cron expression', () => version({ wrong: '61 * * * *' }), '@Schedule("61 * * * *") of Version.task'],
      ['its id', () => TwiceTheSame, 'Two schedules have the id "same", of TwiceTheSame.one and of TwiceTheSame.two'],
      ['its method', () => NoTask, 'NoTask.method has a @Schedule() but is not a task'],
      ['its arguments', () => BadArguments, '@Schedule("@daily") of BadArguments.method: args[0] is a BigInt'],
    ])('an application with an invalid schedule does not start: %s', async (_, provider, says) => {
      await expect(boot({ ...(await engine.place()), http: false }, [provider()])).rejects.toThrow(says);
    });
  });

  it('an application does not change the schedules of another place', async () => {
    const [one, other] = await Promise.all([
      boot(await engine.place(), [version({ mine: '@daily', both: '@daily' })]),
      boot(await engine.place(), [version({ theirs: '@hourly', both: '@hourly' })]),
    ]);
    try {
      const [mine, theirs] = [one.app.get(TaskSchedules), other.app.get(TaskSchedules)];
      await mine.upsert('made', { task: 'Version.task', cron: '@daily' });
      await theirs.upsert('made', { task: 'Version.task', cron: '@hourly' });
      await mine.pause('both');
      await mine.remove('made');
      expect(await mine.list()).toMatchObject([{ id: 'both', cron: '@daily', paused: true }, { id: 'mine' }]);
      expect(await theirs.list()).toMatchObject([
        { id: 'both', cron: '@hourly', paused: false },
        { id: 'made', cron: '@hourly' },
        { id: 'theirs' },
      ]);
    } finally {
      await Promise.all([one.app.close(), other.app.close()]);
    }
  });
});

/** A version of the code: one task with these schedules. For the id '' the library chooses the id. */
function version(schedules: Record<string, string>, method = 'task'): Type {
  class Version {}
  const descriptor = { value: (..._args: unknown[]) => undefined, configurable: true, writable: true };
  Object.defineProperty(Version.prototype, method, descriptor);
  Task()(Version.prototype, method, descriptor);
  for (const [id, cron] of Object.entries(schedules)) {
    Schedule(cron, id === '' ? {} : { id })(Version.prototype, method, descriptor);
  }
  return Injectable()(Version) ?? Version;
}

@Injectable()
class TwiceTheSame {
  @Schedule('@daily', { id: 'same' })
  @Task()
  one(): void {}

  @Schedule('@daily', { id: 'same' })
  @Task()
  two(): void {}
}

@Injectable()
class NoTask {
  @Schedule('@daily')
  method(): void {}
}

@Injectable()
class BadArguments {
  @Schedule('@daily', { args: [1n] })
  @Task()
  method(_value: bigint): void {}
}
