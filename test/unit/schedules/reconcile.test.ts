import { describe, expect, it } from '@jest/globals';
import { reconcile, type DeclaredSchedule } from '../../../lib/schedules/reconcile.js';
import type { DeclaredCode } from '../../../lib/engine/declared-code.js';
import type { KnownVersion, Snapshot } from '../../../lib/schedules/snapshot.js';
import { Schedule } from '../../../lib/schedules/schedule.js';
import type { StoredSchedule } from '../../../lib/schedules/stored-schedule.js';
import { timetableOf } from '../../../lib/schedules/timetable.js';

const MINUTE = 60_000;

function declare(id: string, settings: { every?: number; queue?: string } = {}): DeclaredSchedule {
  const { every = MINUTE, queue = 'default' } = settings;
  return {
    id,
    source: 'decorator',
    every,
    timezone: 'UTC',
    overlap: 'allow',
    catchUp: 'one',
    template: { name: id, queue, args: [], headers: {}, options: {} },
  };
}

/** A store, and processes that reconcile their schedules with it one after the other. */
class World {
  readonly stored = new Map<string, StoredSchedule>();
  private readonly versions = new Map<string, KnownVersion>();
  now = Date.UTC(2026, 0, 1);
  /** What each process has read before. */
  remembered: ReadonlyMap<string, Schedule> = new Map();
  /** The workers that run now. */
  workers: DeclaredCode[] = [];

  /** A process. @returns lets the process reconcile once; `load` lets it load a module with further schedules */
  process(
    declared: DeclaredSchedule[],
    queues = ['default'],
    code: Partial<DeclaredCode> = {},
    formerIds: (id: string) => readonly string[] = () => [],
  ) {
    let presentSince: number | undefined;
    let grownAt: number | undefined;
    const run = () => {
      const plan = reconcile({
        declared,
        queues,
        snapshot: this.snapshot(),
        remembered: this.remembered,
        code: this.codeOf(declared, code),
        workers: this.workers,
        now: this.now,
        presentSince,
        grownAt,
        formerIds,
      });
      for (const schedule of plan.put) this.stored.set(schedule.id, schedule);
      for (const id of plan.remove) this.stored.delete(id);
      for (const version of plan.versions) this.versions.set(version.queue + version.fingerprint, version);
      for (const version of plan.forget) this.versions.delete(version.queue + version.fingerprint);
      presentSince ??= this.now;
      return plan;
    };
    const load = (...later: DeclaredSchedule[]) => {
      declared.push(...later);
      grownAt = this.now;
      return run();
    };
    return Object.assign(run, { load });
  }

  /** By default, all processes run the same application. */
  codeOf(declared: readonly DeclaredSchedule[], code: Partial<DeclaredCode> = {}): DeclaredCode {
    return { application: undefined, tasks: ['common'], schedules: declared.map(({ id }) => id), ...code };
  }

  /** Lets time pass, in which each of these processes reconciles every half minute. */
  pass(minutes: number, ...processes: (() => unknown)[]): void {
    for (let half = 0; half < minutes * 2; half++) {
      this.now += MINUTE / 2;
      for (const process of processes) process();
    }
  }

  /** Loses everything, as a server without persistence that restarts. */
  lose(): void {
    this.remembered = this.snapshot().schedules;
    this.stored.clear();
    this.versions.clear();
  }

  get ids(): string[] {
    return [...this.stored.keys()].toSorted();
  }

  get versionCount(): number {
    return this.versions.size;
  }

  private snapshot(): Pick<Snapshot, 'schedules' | 'versions'> {
    const schedules = Array.from(
      this.stored,
      ([id, stored]) => [id, new Schedule(stored, timetableOf(stored))] as const,
    );
    return { schedules: new Map(schedules), versions: [...this.versions.values()] };
  }
}

describe('reconcile', () => {
  it('puts new and changed schedules, removes undeclared schedules, and leaves the others as they are', () => {
    const world = new World();
    world.stored.set('made-at-run-time', { ...declare('made-at-run-time'), source: 'runtime', since: 1 });
    world.process([declare('same'), declare('changes'), declare('goes')])();
    const { since } = world.stored.get('same') as StoredSchedule;
    world.now += 10 * MINUTE;
    const plan = world.process([declare('same'), declare('changes', { every: 2 * MINUTE }), declare('comes')])();
    expect(world.ids).toEqual(['changes', 'comes', 'made-at-run-time', 'same']);
    expect(plan.put.map(({ id }) => id).toSorted()).toEqual(['changes', 'comes']);
    expect(world.stored.get('same')).toMatchObject({ since });
    // The changed schedule begins anew, so no earlier tick counts as missed.
    expect(world.stored.get('changes')).toMatchObject({ every: 2 * MINUTE, since: world.now });
  });

  it('changes nothing when it runs again', () => {
    const world = new World();
    const process = world.process([declare('a')]);
    process();
    world.now += MINUTE;
    expect(process()).toMatchObject({ put: [], remove: new Set() });
  });

  it('keeps the beginning of a schedule whose arguments changed and whose timing did not', () => {
    const world = new World();
    world.process([declare('a')])();
    const { since } = world.stored.get('a') as StoredSchedule;
    world.now += MINUTE;
    const changed = declare('a');
    world.process([{ ...changed, template: { ...changed.template, args: ['other'] } }])();
    expect(world.stored.get('a')).toMatchObject({ since, template: { args: ['other'] } });
  });

  it('leaves schedules of queues that other processes consume as they are', () => {
    const world = new World();
    world.process([declare('mine'), declare('theirs', { queue: 'theirs' })], ['theirs'])();
    expect(world.ids).toEqual(['theirs']);
    world.process([], ['mine'])();
    expect(world.ids).toEqual(['theirs']);
  });

  it('removes the schedules of a queue that had no consumer for a day, but not after an hour', () => {
    const world = new World();
    const both = world.process([declare('here'), declare('there', { queue: 'gone' })], ['default', 'gone']);
    both();
    world.stored.set('made', { ...declare('made', { queue: 'gone' }), source: 'runtime', since: 1 });
    const without = world.process([declare('here')]);
    world.pass(60, without);
    expect(world.ids).toEqual(['here', 'made', 'there']);
    world.pass(24 * 60, without);
    expect(world.ids).toEqual(['here', 'made']);
  });

  it('removes nothing after a long pause of the application until the other processes had time to start', () => {
    const world = new World();
    const others = world.process([declare('theirs', { queue: 'theirs' })], ['theirs']);
    others();
    world.now += 3 * 24 * 60 * MINUTE;
    const own = world.process([declare('mine')]);
    world.pass(1, own);
    expect(world.ids).toEqual(['mine', 'theirs']);
    world.pass(5, own, others);
    expect(world.ids).toEqual(['mine', 'theirs']);
  });

  it.each([[['a', 'b']], [['b', 'a']]])(
    'moves a schedule to another queue, for the order %j of the queues',
    (queues) => {
      const world = new World();
      world.process([declare('moves', { queue: 'a' })], queues)();
      world.now += 10 * MINUTE;
      world.process([declare('moves', { queue: 'b' })], queues)();
      expect(world.stored.get('moves')).toMatchObject({ template: { queue: 'b' } });
    },
  );

  it('keeps a schedule created at run time when a decorator declares the same id', () => {
    const world = new World();
    const made: StoredSchedule = { ...declare('a'), source: 'runtime', since: 1 };
    world.stored.set('a', made);
    expect(world.process([declare('a')])()).toMatchObject({ taken: [{ id: 'a', by: 'runtime' }], put: [] });
    expect(world.stored.get('a')).toBe(made);
  });
});

describe('reconcile after the stored data was lost', () => {
  it('puts a declared schedule again from its last tick on, with its pause, and no schedule made at run time', () => {
    const world = new World();
    const process = world.process([declare('a'), declare('paused'), declare('never')]);
    world.pass(5, process);
    const begun = world.stored.get('never')?.since;
    world.stored.set('made', { ...declare('made'), source: 'runtime', since: 1 });
    world.lose();
    const tick = world.now - MINUTE;
    world.remembered.get('a')?.recordRun({ tick, task: 'default.x', at: tick, count: 3 });
    (world.remembered.get('paused') as Schedule).pause = { paused: true, at: world.now };
    const plan = process();
    expect(world.ids).toEqual(['a', 'never', 'paused']);
    expect(world.stored.get('a')).toMatchObject({ since: tick });
    expect(world.stored.get('never')).toMatchObject({ since: begun });
    expect(plan.pauses).toEqual([{ id: 'paused', paused: true, at: world.now }]);
    expect(process()).toMatchObject({ put: [], pauses: [] });
  });

  it('puts a schedule whose timing changed as a new one', () => {
    const world = new World();
    world.process([declare('a')])();
    world.lose();
    world.now += MINUTE;
    world.process([declare('a', { every: 2 * MINUTE })])();
    expect(world.stored.get('a')).toMatchObject({ since: world.now });
  });
});

describe('reconcile of two applications that share a queue', () => {
  const codeOf = (application: string | undefined, ...ids: string[]) => ({ application, tasks: ids, schedules: ids });

  it.each([
    ['without names', undefined, undefined],
    ['with the same name', 'shop', 'shop'],
    ['with two names', 'shop', 'mail'],
  ])('the later one removes nothing that a worker of the other declares (%s)', (_what, first, second) => {
    const world = new World();
    world.workers = [codeOf(first, 'a'), codeOf(second, 'b')];
    const one = world.process([declare('a')], ['default'], codeOf(first, 'a'));
    const other = world.process([declare('b')], ['default'], codeOf(second, 'b'));
    one();
    world.now += MINUTE;
    other();
    expect(world.ids).toEqual(['a', 'b']);
    world.pass(5, one, other);
    expect(world.ids).toEqual(['a', 'b']);
    expect(one()).toMatchObject({ put: [], remove: new Set(), taken: [], contested: [] });
    // The other appeared later, but it does not decide about the schedules of the first.
    world.stored.delete('a');
    one();
    expect(world.ids).toEqual(['a', 'b']);
  });

  it('schedules with another name stay while their application is closed for less than a day', () => {
    const world = new World();
    world.process([declare('a')], ['default'], codeOf('shop', 'a'))();
    const other = world.process([declare('b')], ['default'], codeOf('mail', 'b'));
    world.pass(60, other);
    expect(world.ids).toEqual(['a', 'b']);
    world.pass(24 * 60, other);
    expect(world.ids).toEqual(['b']);
  });

  it('the schedules of a renamed task are removed once no worker declares it', () => {
    const world = new World();
    world.workers = [codeOf(undefined, 'old')];
    world.process([declare('old')], ['default'], codeOf(undefined, 'old'))();
    const newer = world.process([declare('new')], ['default'], codeOf(undefined, 'new'));
    world.pass(1, newer);
    expect(world.ids).toEqual(['new', 'old']);
    world.workers = [codeOf(undefined, 'new')];
    world.pass(1, newer);
    expect(world.ids).toEqual(['new']);
  });

  it('an id that a worker of the other declares for its own task is taken', () => {
    const world = new World();
    const shop = { application: 'shop', tasks: ['shop'], schedules: ['same'] };
    const mail = { application: 'mail', tasks: ['mail'], schedules: ['same'] };
    world.workers = [shop, mail];
    const of = (task: string) => [{ ...declare('same'), template: { ...declare('same').template, name: task } }];
    const one = world.process(of('shop'), ['default'], shop);
    const other = world.process(of('mail'), ['default'], mail);
    one();
    world.now += MINUTE;
    expect(other()).toMatchObject({ put: [], taken: [{ id: 'same', by: shop }] });
    world.pass(5, one, other);
    expect(world.stored.get('same')).toMatchObject({ application: 'shop', template: { name: 'shop' } });
  });

  it('a schedule of the same task has the settings of the version that appeared last', () => {
    const world = new World();
    const shop = { application: 'shop', tasks: ['common'], schedules: ['same'] };
    const mail = { application: 'mail', tasks: ['common'], schedules: ['same'] };
    world.workers = [shop, mail];
    const one = world.process([declare('same')], ['default'], shop);
    const other = world.process([declare('same', { every: 2 * MINUTE })], ['default'], mail);
    one();
    world.now += MINUTE;
    other();
    world.pass(5, one, other);
    expect(world.stored.get('same')).toMatchObject({ every: 2 * MINUTE });
  });

  it('a removed schedule that a running worker still declares is reported', () => {
    const world = new World();
    const old = { application: 'shop', tasks: ['common'], schedules: ['goes', 'stays'] };
    world.workers = [old];
    world.process([declare('goes'), declare('stays')], ['default'], old)();
    world.now += MINUTE;
    const plan = world.process([declare('stays')], ['default'], { ...old, schedules: ['stays'] })();
    expect(plan).toMatchObject({ remove: new Set(['goes']), contested: [{ id: 'goes', by: old }] });
  });
});

describe('reconcile during a deploy', () => {
  it('lets the newer version decide while both versions run, also when an old process starts again', () => {
    const world = new World();
    const old = world.process([declare('removed'), declare('kept')]);
    world.pass(5, old);
    const newer = world.process([declare('kept')]);
    world.pass(5, newer, old);
    expect(world.ids).toEqual(['kept']);
    const oldAgain = world.process([declare('removed'), declare('kept')]);
    oldAgain();
    expect(world.ids).toEqual(['kept']);
    world.pass(5, oldAgain, newer, old);
    expect(world.ids).toEqual(['kept']);
    world.pass(5, newer);
    expect(world.ids).toEqual(['kept']);
  });

  it('puts nothing for an old process that was frozen and goes on', () => {
    const world = new World();
    const old = world.process([declare('removed')]);
    world.pass(1, old);
    const newer = world.process([]);
    world.pass(10, newer);
    old();
    expect(world.ids).toEqual([]);
  });

  it('removes what an old process that starts late has put, within two minutes of the end of that process', () => {
    const world = new World();
    const old = world.process([declare('removed')]);
    world.pass(1, old);
    const newer = world.process([]);
    world.pass(10, newer);
    // The old version has given no sign of life for so long that its new process counts as a roll-back.
    const late = world.process([declare('removed')]);
    world.pass(1, late, newer);
    expect(world.ids).toEqual(['removed']);
    world.pass(2, newer);
    expect(world.ids).toEqual([]);
  });

  it('lets the older version decide again once the newer version is rolled back', () => {
    const world = new World();
    const old = world.process([declare('a')]);
    world.pass(5, old);
    const newer = world.process([declare('b')]);
    world.pass(5, old, newer);
    expect(world.ids).toEqual(['b']);
    world.pass(2, old);
    expect(world.ids).toEqual(['a']);
  });

  it('does not believe a version that has a clock from the future', () => {
    const world = new World();
    const right = world.process([declare('a')]);
    world.pass(5, right);
    world.now += 24 * 60 * MINUTE;
    world.process([declare('b')])();
    expect(world.ids).toEqual(['b']);
    world.now -= 24 * 60 * MINUTE;
    world.pass(1, right);
    expect(world.ids).toEqual(['a']);
    expect(world.versionCount).toBe(1);
  });

  it('gives a schedule that begins in the future the present as its beginning', () => {
    const world = new World();
    world.now += 24 * 60 * MINUTE;
    world.process([declare('a')])();
    world.now -= 24 * 60 * MINUTE;
    world.process([declare('a')])();
    expect(world.stored.get('a')?.since).toBe(world.now);
  });

  it('forgets versions without a sign of life for a day', () => {
    const world = new World();
    world.process([declare('a')])();
    world.now += 25 * 60 * MINUTE;
    world.process([declare('b')])();
    expect(world.versionCount).toBe(1);
  });
});

describe('a module that a process loads later', () => {
  it('sets its schedules at once, and again after the process started anew', () => {
    const world = new World();
    const first = world.process([declare('known')]);
    const second = world.process([declare('known')]);
    world.pass(1, first, second);
    first.load(declare('lazy'));
    expect(world.ids).toEqual(['known', 'lazy']);
    world.pass(5, second, first);
    expect(world.ids).toEqual(['known', 'lazy']);

    const again = world.process([declare('known')]);
    again();
    again.load(declare('lazy'));
    world.pass(5, second, again);
    expect(world.ids).toEqual(['known', 'lazy']);
  });
});

describe('a schedule whose task got another name', () => {
  const formerIds = (id: string) => (id === 'new' ? ['older', 'old'] : []);

  it('goes on under its new id, also while workers of the earlier version run', () => {
    const world = new World();
    const old = world.process([declare('old')]);
    old();
    const since = world.stored.get('old')?.since;
    world.pass(5, old);
    world.workers = [world.codeOf([declare('old')])];
    const plan = world.process([declare('new')], ['default'], {}, formerIds)();
    expect(plan).toMatchObject({ renamed: [{ from: 'old', to: 'new' }], contested: [] });
    expect([...world.stored.keys()]).toEqual(['new']);
    expect(world.stored.get('new')?.since).toBe(since);
    expect(old().put).toEqual([]);
  });

  it('begins anew with another timing, and takes over nothing that is declared, made at run time or of another application', () => {
    const world = new World();
    world.process([declare('old')])();
    world.now += MINUTE;
    world.process([declare('new', { every: 2 * MINUTE })], ['default'], {}, formerIds)();
    expect(world.stored.get('new')?.since).toBe(world.now);

    const both = new World();
    both.process([declare('old')])();
    both.now += MINUTE;
    expect(both.process([declare('old'), declare('new')], ['default'], {}, formerIds)().renamed).toEqual([]);

    const runtime = new World();
    runtime.stored.set('old', { ...declare('old'), source: 'runtime', since: runtime.now });
    expect(runtime.process([declare('new')], ['default'], {}, formerIds)().renamed).toEqual([]);

    const foreign = new World();
    foreign.stored.set('old', { ...declare('old'), since: foreign.now });
    foreign.workers = [{ application: 'other', tasks: ['old'], schedules: ['old'] }];
    const own = { application: 'own', tasks: ['common'] };
    expect(foreign.process([declare('new')], ['default'], own, formerIds)().renamed).toEqual([]);
  });
});
