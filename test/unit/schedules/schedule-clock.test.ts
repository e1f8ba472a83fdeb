import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Engine } from '../../../lib/engine/engine.js';
import type { TaskCall, TaskRecord } from '../../../lib/engine/task.js';
import { EngineUnavailableError } from '../../../lib/errors.js';
import type { DeclaredSchedule } from '../../../lib/schedules/reconcile.js';
import { ScheduleBook } from '../../../lib/schedules/schedule-book.js';
import { ScheduleClock } from '../../../lib/schedules/schedule-clock.js';
import { ScheduleReconciler } from '../../../lib/schedules/schedule-reconciler.js';
import { toScheduleStatus } from '../../../lib/schedules/schedule-status.js';
import type { StoredSchedule } from '../../../lib/schedules/stored-schedule.js';
import { TickRunner } from '../../../lib/schedules/tick-runner.js';
import { FakeScheduleStore } from '../../support/fake-schedule-store.js';

function bookOf(store: FakeScheduleStore): ScheduleBook {
  return new ScheduleBook(store, () => Date.now());
}

/** The store and the engine that several processes share. The engine stores an id once and knows unfinished tasks. */
class World {
  readonly store = new FakeScheduleStore();
  readonly calls = new Map<string, TaskCall>();
  /** Ids of unfinished unique tasks, by their unique key. */
  readonly busy = new Map<string, string>();
  /** Records of tasks, by id. */
  readonly records = new Map<string, TaskRecord>();
  /** The schedules that the code of every process declares. */
  declared: DeclaredSchedule[] = [];
  private readonly clocks: ScheduleClock[] = [];

  readonly engine = {
    schedules: this.store,
    enqueue: async ([call]: TaskCall[]) => {
      if (!this.store.reachable) throw new EngineUnavailableError('cannot be reached');
      const { id, unique } = call as TaskCall;
      const other = unique && this.busy.get(unique.key);
      if (!this.calls.has(id) && !other) this.calls.set(id, call as TaskCall);
      return [{ id: other ?? id, deduplicated: other !== undefined, state: 'queued' }];
    },
    now: () => Date.now(),
    find: async (id: string): Promise<TaskRecord | undefined> =>
      this.records.get(id) ?? (this.calls.has(id) ? ({ id, state: 'queued' } as TaskRecord) : undefined),
  } as unknown as Engine;

  /** Starts a process that runs the schedules. */
  async start(): Promise<ScheduleClock> {
    const book = bookOf(this.store);
    const reconciler = new ScheduleReconciler(
      book,
      () => this.declared,
      () => ['default'],
      () => Date.now(),
      () => ({ application: undefined, tasks: ['a.task'], schedules: this.declared.map(({ id }) => id) }),
      async () => [],
    );
    const clock = new ScheduleClock(
      this.engine,
      book,
      new TickRunner(this.engine, book, this.engine),
      reconciler,
      true,
    );
    this.clocks.push(clock);
    await clock.onApplicationBootstrap();
    return clock;
  }

  async put(settings: Partial<StoredSchedule>): Promise<void> {
    const stored: StoredSchedule = {
      id: 'it',
      source: 'runtime',
      timezone: 'UTC',
      overlap: 'allow',
      catchUp: 'one',
      since: Date.now(),
      template: { name: 'a.task', queue: 'default', args: [], headers: {}, options: {} },
      ...settings,
    };
    await bookOf(this.store).put([stored]);
    await bookOf(this.store).announce(['it']);
  }

  /** The ticks for which a task was enqueued, in order. */
  get ticks(): string[] {
    return [...this.calls.values()].map(({ headers }) => (headers['schedule-tick'] as string).slice(5, 19));
  }

  async stop(): Promise<void> {
    const stopped = this.clocks.map((clock) => clock.onModuleDestroy());
    // A clock gives up a pass that hangs.
    await jest.advanceTimersByTimeAsync(2_000);
    await Promise.all(stopped);
  }
}

describe('ScheduleClock', () => {
  let world: World;

  beforeEach(() => {
    jest.useFakeTimers({ now: Date.UTC(2026, 0, 1, 12, 0, 0, 500), doNotFake: ['nextTick', 'setImmediate'] });
    world = new World();
  });

  afterEach(async () => {
    await world.stop();
    jest.useRealTimers();
  });

  const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

  it('enqueues one task for each tick, however many processes run', async () => {
    await world.put({ cron: '*/10 * * * * *' });
    await Promise.all([world.start(), world.start(), world.start()]);
    await pass(30_000);
    expect(world.ticks).toEqual(['01-01T12:00:10', '01-01T12:00:20', '01-01T12:00:30']);
    expect([...world.calls.keys()].every((id) => /^default\.[\w-]{22}$/.test(id))).toBe(true);
  });

  it('loses no tick as long as one process runs', async () => {
    await world.put({ cron: '* * * * * *' });
    let [one, other] = await Promise.all([world.start(), world.start()]);
    for (let round = 0; round < 5; round++) {
      await pass(1_700);
      await one.onModuleDestroy();
      await pass(300);
      one = await world.start();
      [one, other] = [other, one];
    }
    expect(world.ticks).toHaveLength(10);
    expect(new Set(world.ticks).size).toBe(10);
  });

  it('recovers a tick whose process died after the enqueue and before it recorded the tick', async () => {
    await world.put({ cron: '*/10 * * * * *' });
    const dying = await world.start();
    const recording = jest.spyOn(world.store, 'set').mockImplementation(() => new Promise(() => undefined));
    await pass(10_000);
    expect(world.ticks).toEqual(['01-01T12:00:10']);
    recording.mockRestore();
    void dying.onModuleDestroy();
    await world.start();
    await pass(10_000);
    expect(world.ticks).toEqual(['01-01T12:00:10', '01-01T12:00:20']);
  });

  it('retries a tick that could not be enqueued, also after a later tick was enqueued and after a new read', async () => {
    await world.put({ cron: '*/10 * * * * *' });
    await world.start();
    const { enqueue } = world.engine;
    const refused = jest.spyOn(world.engine, 'enqueue').mockImplementation(async (calls) => {
      if (calls[0]?.headers['schedule-tick']?.includes('12:00:10')) throw new Error('no room');
      return enqueue(calls);
    });
    const log = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    await pass(21_000);
    expect(world.ticks).toEqual(['01-01T12:00:20']);
    expect(log).toHaveBeenCalledWith(expect.stringContaining('no room'));
    log.mockRestore();
    refused.mockRestore();
    await bookOf(world.store).announce(['it']);
    await pass(2_000);
    expect(world.ticks).toEqual(['01-01T12:00:20', '01-01T12:00:10']);
  });

  /** Lets the first two hours of each of these days pass. The clock leaps to the last half minute of each quarter. */
  async function passDays(first: number, days: number): Promise<void> {
    for (let day = 0; day < days; day++) {
      jest.setSystemTime(first + day * 24 * 3_600_000);
      await pass(2_000);
      for (let quarter = 0; quarter < 8; quarter++) {
        jest.setSystemTime(Date.now() + 14 * 60_000 + 30_000);
        await pass(30_000);
      }
    }
  }

  it('runs a daily schedule at its local time through both clock changes of a year', async () => {
    // Two hours of each day are enough, because the clock changes and the ticks fall into them.
    await world.put({ cron: '30 2 * * *', timezone: 'Europe/Berlin', catchUp: 'none', since: 0 });
    await world.start();
    await passDays(Date.UTC(2026, 2, 28, 0, 0, 1), 3);
    await passDays(Date.UTC(2026, 9, 24, 0, 0, 1), 3);
    expect(world.ticks).toEqual([
      '03-28T01:30:00',
      '03-29T01:00:00', // 3:00, because there is no 2:30
      '03-30T00:30:00',
      '10-24T00:30:00',
      '10-25T00:30:00', // not a second time one hour later
      '10-26T01:30:00',
    ]);
  });

  it('runs a daily schedule on leap day', async () => {
    await world.put({ cron: '30 0 * * *', catchUp: 'none', since: 0 });
    await world.start();
    await passDays(Date.UTC(2028, 1, 28, 0, 0, 1), 3);
    expect(world.ticks).toEqual(['02-28T00:30:00', '02-29T00:30:00', '03-01T00:30:00']);
  });

  it.each([
    ['one', ['01-01T13:30:20', '01-01T13:30:30']],
    ['none', ['01-01T13:30:30']],
  ] as const)('follows catchUp %s after the system clock was put forward', async (catchUp, expected) => {
    await world.put({ cron: '*/10 * * * * *', catchUp });
    await world.start();
    await pass(1_000);
    jest.setSystemTime(Date.UTC(2026, 0, 1, 13, 30, 25));
    await pass(5_000);
    await pass(4_000);
    expect(world.ticks).toEqual(expected);
  });

  it('runs no tick twice after the system clock was put back, and goes on', async () => {
    await world.put({ cron: '*/10 * * * * *' });
    await world.start();
    await pass(20_000);
    jest.setSystemTime(Date.UTC(2026, 0, 1, 11, 59, 55));
    await pass(25_000);
    expect(world.ticks).toEqual(['01-01T12:00:10', '01-01T12:00:20']);
    await pass(10_000);
    expect(world.ticks).toEqual(['01-01T12:00:10', '01-01T12:00:20', '01-01T12:00:30']);
  });

  it.each([
    ['one', ['01-01T12:00:30', '01-01T12:00:40']],
    ['none', ['01-01T12:00:40']],
  ] as const)('follows catchUp %s after a time without a process', async (catchUp, expected) => {
    await world.put({ cron: '*/10 * * * * *', catchUp });
    await pass(34_000);
    await Promise.all([world.start(), world.start()]);
    await pass(10_000);
    expect(world.ticks).toEqual(expected);
  });

  it.each([
    ['one', ['01-01T12:00:10', '01-01T12:00:40', '01-01T12:00:50']],
    ['none', ['01-01T12:00:10', '01-01T12:00:50']],
  ] as const)('follows catchUp %s after the engine could not be reached', async (catchUp, expected) => {
    await world.put({ cron: '*/10 * * * * *', catchUp });
    await world.start();
    await pass(15_000);
    world.store.reachable = false;
    await pass(30_000);
    expect(world.ticks).toEqual(['01-01T12:00:10']);
    world.store.reachable = true;
    await pass(10_000);
    expect(world.ticks).toEqual(expected);
  });

  it('makes up for no tick from before the schedule was created, and for no tick of a pause', async () => {
    await world.start();
    await pass(60_000);
    await world.put({ cron: '*/10 * * * * *' });
    await pass(1_000);
    expect(world.ticks).toEqual([]);
    await pass(9_000);
    expect(world.ticks).toEqual(['01-01T12:01:10']);
    await bookOf(world.store).putPause('it', { paused: true, at: Date.now() });
    await bookOf(world.store).announce(['it']);
    await pass(30_000);
    await bookOf(world.store).putPause('it', { paused: false, at: Date.now() });
    await bookOf(world.store).announce(['it']);
    await pass(5_000);
    expect(world.ticks).toEqual(['01-01T12:01:10']);
    await pass(5_000);
    expect(world.ticks).toEqual(['01-01T12:01:10', '01-01T12:01:50']);
  });

  it('reads a change whose announcement was lost', async () => {
    await world.put({ cron: '*/10 * * * * *' });
    await world.start();
    jest.spyOn(world.store, 'announce').mockResolvedValue();
    await world.put({ cron: '0 0 1 1 *' });
    await pass(30_000);
    expect(world.ticks).toEqual([]);
  });

  it('skips a tick while an earlier run has not ended, and records the skip', async () => {
    await world.put({ cron: '*/10 * * * * *', overlap: 'skip' });
    await Promise.all([world.start(), world.start()]);
    await pass(10_000);
    const [first] = [...world.calls.values()] as [TaskCall];
    world.busy.set(first.unique?.key as string, first.id);
    await pass(20_000);
    expect(world.ticks).toEqual(['01-01T12:00:10']);
    const book = bookOf(world.store);
    expect(await book.get('it')).toMatchObject({ skip: { tick: Date.UTC(2026, 0, 1, 12, 0, 30), because: first.id } });
    world.busy.clear();
    await pass(10_000);
    expect(world.ticks).toEqual(['01-01T12:00:10', '01-01T12:00:40']);
  });

  it('knows how the last run ended after the record of its task was removed', async () => {
    await world.put({ cron: '0 * * * * *' });
    await world.start();
    await pass(60_000);
    const [id] = [...world.calls.keys()] as [string];
    const error = { name: 'Error', message: 'no paper', code: 'E_PAPER', stack: 'where the paper is' };
    world.records.set(id, { id, state: 'failed', finishedAt: 1, error } as unknown as TaskRecord);
    await pass(20_000);
    world.records.clear();
    const last = await bookOf(world.store).get('it');
    expect(last && toScheduleStatus(last, undefined, Date.now()).lastRun).toMatchObject({
      id,
      state: 'failed',
      error: { name: 'Error', message: 'no paper', code: 'E_PAPER' },
    });
    expect(JSON.stringify(last?.end)).not.toContain('where');
  });

  describe('after the stored data was lost', () => {
    const declared: DeclaredSchedule = {
      id: 'it',
      source: 'decorator',
      cron: '*/10 * * * * *',
      timezone: 'UTC',
      overlap: 'allow',
      catchUp: 'one',
      template: { name: 'a.task', queue: 'default', args: [], headers: {}, options: {} },
    };
    let warnings: string[];

    beforeEach(() => {
      warnings = [];
      jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
      jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => void warnings.push(line));
      world.declared = [declared];
    });
    afterEach(() => void jest.restoreAllMocks());

    it('runs the next tick on time, and each tick once, also with a process that starts afterwards', async () => {
      await Promise.all([world.start(), world.start()]);
      await pass(25_000);
      world.store.lose();
      await pass(4_600);
      expect(world.ticks).toEqual(['01-01T12:00:10', '01-01T12:00:20', '01-01T12:00:30']);
      await world.start();
      await pass(20_000);
      expect(world.ticks.slice(3)).toEqual(['01-01T12:00:40', '01-01T12:00:50']);
      expect(warnings.join()).toContain('The stored schedules were lost');
    });

    it.each<[string, (key: string) => boolean]>([
      ['schedules', (key) => key.startsWith('schedule:')],
      ['records of ticks', (key) => /^(run|last):/.test(key)],
      ['versions', (key) => key.startsWith('version:')],
    ])('runs each tick once when only the %s are lost', async (_what, isLost) => {
      await Promise.all([world.start(), world.start()]);
      await pass(25_000);
      for (const key of world.store.texts.keys()) if (isLost(key)) world.store.texts.delete(key);
      await pass(15_000);
      expect(world.ticks).toEqual(['01-01T12:00:10', '01-01T12:00:20', '01-01T12:00:30', '01-01T12:00:40']);
    });

    it('keeps the secret of the ids, from which each process derives the same id for a tick', async () => {
      await world.start();
      await pass(10_000);
      world.store.lose();
      const other = await world.start();
      await pass(30_000);
      await other.onModuleDestroy();
      await pass(30_000);
      expect(new Set(world.ticks).size).toBe(world.ticks.length);
      expect(world.ticks).toHaveLength(7);
    });

    it('keeps a schedule paused', async () => {
      await world.start();
      await bookOf(world.store).putPause('it', { paused: true, at: Date.now() });
      await bookOf(world.store).announce(['it']);
      await pass(1_000);
      world.store.lose();
      await pass(30_000);
      expect(world.ticks).toEqual([]);
      expect((await bookOf(world.store).get('it'))?.paused).toBe(true);
    });

    it('names the schedules that were made at run time, which no code can set again', async () => {
      await world.put({ id: 'made', cron: '0 0 1 1 *' });
      await world.start();
      await pass(1_000);
      world.store.lose();
      await pass(30_000);
      expect(warnings.join()).toContain('schedules.upsert(): made.');
    });
  });

  it('reads one schedule after a change, and not all of them', async () => {
    await world.put({ cron: '0 0 1 1 *' });
    await world.start();
    await pass(2_000);
    const scans = jest.spyOn(world.store, 'scan');
    for (let change = 0; change < 5; change++) await world.put({ cron: `*/10 * * * * *`, limit: change + 2 });
    await pass(6_000);
    expect(scans).not.toHaveBeenCalled();
    await pass(4_000);
    expect(world.ticks).toEqual(['01-01T12:00:10']);
  });

  it('deletes the records of old ticks', async () => {
    await world.put({ cron: '*/10 * * * * *' });
    await world.start();
    await pass(3_600_000);
    expect(world.calls.size).toBe(360);
    expect(world.store.texts.size).toBeLessThan(40);
  });
});
