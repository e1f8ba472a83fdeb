import { describe, expect, it } from '@jest/globals';
import { Schedule } from '../../../lib/schedules/schedule.js';
import type { StoredSchedule } from '../../../lib/schedules/stored-schedule.js';
import { timetableOf } from '../../../lib/schedules/timetable.js';

const SECOND = 1_000;
const START = Date.UTC(2026, 0, 1);
const at = (seconds: number) => START + seconds * SECOND;

/** A schedule that is due every ten seconds, beginning at `START`. */
function schedule(settings: Partial<StoredSchedule> = {}): Schedule {
  const stored: StoredSchedule = {
    id: 'ten',
    source: 'runtime',
    every: 10 * SECOND,
    timezone: 'UTC',
    overlap: 'allow',
    catchUp: 'one',
    since: START,
    template: { name: 'a.task', queue: 'default', args: [], headers: {}, options: {} },
    ...settings,
  };
  return new Schedule(stored, timetableOf(stored));
}

const run = (tick: number, count: number) => ({ tick, count, task: 'default.x', at: tick });

describe('Schedule', () => {
  it('has every unhandled tick due while the process watched', () => {
    const ten = schedule();
    expect(ten.due(at(9), at(0))).toEqual([]);
    expect(ten.due(at(35), at(0))).toEqual([at(10), at(20), at(30)]);
    ten.recordRun(run(at(10), 1));
    ten.recordRun(run(at(20), 2));
    expect(ten.due(at(35), at(0))).toEqual([at(30)]);
    ten.recordSkip({ tick: at(30), because: 'default.x', at: at(30) });
    expect(ten.due(at(35), at(0))).toEqual([]);
  });

  it('has an unhandled tick due although a later tick has been handled', () => {
    const ten = schedule();
    ten.recordRun(run(at(20), 1));
    expect(ten.due(at(35), at(0))).toEqual([at(10), at(30)]);
    ten.recordRun(run(at(30), 2));
    expect(ten.due(at(35), at(0))).toEqual([at(10)]);
    ten.recordRun(run(at(10), 3));
    expect(ten.due(at(35), at(0))).toEqual([]);
    // A process that began to watch later has missed the tick.
    const late = schedule();
    late.recordRun(run(at(20), 1));
    expect(late.due(at(35), at(15))).toEqual([at(30)]);
    // An hour after a tick that was never handled, the tick counts as missed.
    const old = schedule();
    old.recordRun(run(at(3_600), 1));
    expect(old.due(at(3_605), at(0))).toEqual([3_550, 3_560, 3_570, 3_580, 3_590].map(at));
  });

  it('counts a late run', () => {
    const ten = schedule({ limit: 3 });
    ten.recordRun(run(at(20), 1));
    ten.recordRun(run(at(10), 2));
    expect(ten.run).toMatchObject({ tick: at(20) });
    expect(ten.runs).toBe(2);
    expect(ten.due(at(95), at(0))).toEqual([at(30)]);
  });

  it('has the last missed tick due with catchUp one, and none with catchUp none', () => {
    expect(schedule().due(at(35), at(32))).toEqual([at(30)]);
    expect(schedule().due(at(45), at(32))).toEqual([at(30), at(40)]);
    expect(schedule({ catchUp: 'none' }).due(at(35), at(32))).toEqual([]);
    expect(schedule({ catchUp: 'none' }).due(at(45), at(32))).toEqual([at(40)]);
  });

  it('has no tick due from before its beginning', () => {
    expect(schedule({ since: at(33) }).due(at(35), at(34))).toEqual([]);
    expect(schedule({ since: at(33) }).due(at(41), at(34))).toEqual([at(40)]);
  });

  it('has no tick due while it is paused, and no tick of the pause afterwards', () => {
    const ten = schedule();
    ten.pause = { paused: true, at: at(5) };
    expect(ten.due(at(35), at(0))).toEqual([]);
    expect(ten.upcoming(at(35), 2)).toEqual([]);
    ten.pause = { paused: false, at: at(33) };
    expect(ten.due(at(35), at(0))).toEqual([]);
    expect(ten.due(at(41), at(0))).toEqual([at(40)]);
  });

  it('ends at endsAt', () => {
    const ten = schedule({ endsAt: at(20) });
    expect(ten.due(at(35), at(0))).toEqual([at(10), at(20)]);
    expect(ten.due(at(65), at(60))).toEqual([at(20)]);
    expect(ten.upcoming(at(5), 5)).toEqual([at(10), at(20)]);
    expect(ten.upcoming(at(20), 5)).toEqual([]);
  });

  it('ends after its last run, and does not count a skip as a run', () => {
    const ten = schedule({ limit: 2 });
    expect(ten.due(at(35), at(0))).toEqual([at(10), at(20)]);
    ten.recordRun(run(at(10), 1));
    ten.recordSkip({ tick: at(20), because: 'default.x', at: at(20) });
    expect(ten.upcoming(at(20), 5)).toEqual([at(30)]);
    ten.recordRun(run(at(30), 2));
    expect(ten.due(at(95), at(0))).toEqual([]);
    expect(ten.upcoming(at(35), 5)).toEqual([]);
  });

  it.each([{ limit: 2 }, { endsAt: at(20) }])('computes few ticks once it has ended (%j)', (end) => {
    let calls = 0;
    const { next, previous } = timetableOf({ every: 10 * SECOND, timezone: 'UTC' });
    const counting = (time: number) => (++calls, next(time));
    const ten = new Schedule({ ...schedule(end).stored }, { next: counting, previous });
    ten.recordRun(run(at(10), 1));
    ten.recordRun(run(at(20), 2));
    expect(ten.due(at(24 * 3_600), at(0))).toEqual([]);
    expect(calls).toBeLessThan(10);
  });

  it('counts runs anew after its timing was changed', () => {
    const ten = schedule({ limit: 2, since: at(31) });
    ten.recordRun(run(at(30), 2));
    expect(ten.runs).toBe(0);
    expect(ten.due(at(55), at(0))).toEqual([at(40), at(50)]);
  });

  it('knows the number of runs when two were recorded in the wrong order', () => {
    const ten = schedule();
    ten.recordRun(run(at(20), 2));
    ten.recordRun(run(at(10), 1));
    expect(ten.runs).toBe(2);
  });

  describe('does not believe a time that is more than a minute ahead', () => {
    const tomorrow = at(24 * 3_600);

    it('of its beginning: the ticks since the process watches are due, and no missed one', () => {
      const ten = schedule({ since: tomorrow });
      expect(ten.due(at(35), at(15))).toEqual([at(20), at(30)]);
      expect(ten.upcoming(at(35), 2)).toEqual([at(40), at(50)]);
    });

    it('of a pause', () => {
      const ten = schedule();
      ten.pause = { paused: false, at: tomorrow };
      expect(ten.due(at(35), at(15))).toEqual([at(20), at(30)]);
      expect(ten.upcoming(at(35), 1)).toEqual([at(40)]);
    });

    it('of a handled tick', () => {
      const ten = schedule();
      ten.recordRun(run(tomorrow, 1));
      ten.recordSkip({ tick: tomorrow + 10 * SECOND, because: 'default.x', at: tomorrow });
      expect(ten.upcoming(at(35), 1)).toEqual([at(40)]);
      expect(ten.due(at(35), at(15))).toEqual([at(10), at(20), at(30)]);
      expect([ten.run, ten.skip]).toEqual([undefined, undefined]);
    });

    it('up to which it has searched for ticks, when the clock was put back', () => {
      const ten = schedule();
      expect(ten.due(tomorrow, tomorrow - 15 * SECOND)).toHaveLength(3);
      expect(ten.due(at(35), at(15))).toEqual([at(10), at(20), at(30)]);
    });

    it('but believes one that is less ahead: the clocks of two processes are never equal', () => {
      const ten = schedule({ since: at(90) });
      expect(ten.due(at(35), at(0))).toEqual([]);
    });
  });
});
