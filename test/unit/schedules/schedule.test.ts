import { describe, expect, it } from '@jest/globals';
import { Schedule } from '../../../lib/schedules/schedule.js';
import type { StoredSchedule } from '../../../lib/schedules/stored-schedule.js';
import { timetableOf } from '../../../lib/schedules/timetable.js';

const SECOND = 1_000;
const START = Date.UTC(2026, 0, 1);
const at = (seconds: number) => START + seconds * SECOND;

/** Every ten seconds, from `START` on. */
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

describe('what is due', () => {
  it('is every tick while somebody watched', () => {
    const ten = schedule();
    expect(ten.due(at(9), at(0))).toEqual([]);
    expect(ten.due(at(35), at(0))).toEqual([at(10), at(20), at(30)]);
    ten.noteRun(run(at(10), 1));
    ten.noteRun(run(at(20), 2));
    expect(ten.due(at(35), at(0))).toEqual([at(30)]);
    ten.noteSkip({ tick: at(30), because: 'default.x', at: at(30) });
    expect(ten.due(at(35), at(0))).toEqual([]);
  });

  it('is a tick too that nobody has acted on although somebody acted on a later one', () => {
    const ten = schedule();
    ten.noteRun(run(at(20), 1));
    expect(ten.due(at(35), at(0))).toEqual([at(10), at(30)]);
    ten.noteRun(run(at(30), 2));
    expect(ten.due(at(35), at(0))).toEqual([at(10)]);
    ten.noteRun(run(at(10), 3));
    expect(ten.due(at(35), at(0))).toEqual([]);
    // Who began to watch later has missed it.
    const late = schedule();
    late.noteRun(run(at(20), 1));
    expect(late.due(at(35), at(15))).toEqual([at(30)]);
    // And after an hour nobody comes back to it.
    const old = schedule();
    old.noteRun(run(at(3_600), 1));
    expect(old.due(at(3_605), at(0))).toEqual([3_550, 3_560, 3_570, 3_580, 3_590].map(at));
  });

  it('is counted although it came late', () => {
    const ten = schedule({ limit: 3 });
    ten.noteRun(run(at(20), 1));
    ten.noteRun(run(at(10), 2));
    expect(ten.run).toMatchObject({ tick: at(20) });
    expect(ten.runs).toBe(2);
    expect(ten.due(at(95), at(0))).toEqual([at(30)]);
  });

  it('is one for all that were missed, or none', () => {
    expect(schedule().due(at(35), at(32))).toEqual([at(30)]);
    expect(schedule().due(at(45), at(32))).toEqual([at(30), at(40)]);
    expect(schedule({ catchUp: 'none' }).due(at(35), at(32))).toEqual([]);
    expect(schedule({ catchUp: 'none' }).due(at(45), at(32))).toEqual([at(40)]);
  });

  it('is nothing that came before the schedule', () => {
    expect(schedule({ since: at(33) }).due(at(35), at(34))).toEqual([]);
    expect(schedule({ since: at(33) }).due(at(41), at(34))).toEqual([at(40)]);
  });

  it('is nothing while it is paused, and nothing of that time afterwards', () => {
    const ten = schedule();
    ten.pause = { paused: true, at: at(5) };
    expect(ten.due(at(35), at(0))).toEqual([]);
    expect(ten.upcoming(at(35), 2)).toEqual([]);
    ten.pause = { paused: false, at: at(33) };
    expect(ten.due(at(35), at(0))).toEqual([]);
    expect(ten.due(at(41), at(0))).toEqual([at(40)]);
  });

  it('ends with the end', () => {
    const ten = schedule({ endsAt: at(20) });
    expect(ten.due(at(35), at(0))).toEqual([at(10), at(20)]);
    expect(ten.due(at(65), at(60))).toEqual([at(20)]);
    expect(ten.upcoming(at(5), 5)).toEqual([at(10), at(20)]);
    expect(ten.upcoming(at(20), 5)).toEqual([]);
  });

  it('ends with the last run, and a skip is no run', () => {
    const ten = schedule({ limit: 2 });
    expect(ten.due(at(35), at(0))).toEqual([at(10), at(20)]);
    ten.noteRun(run(at(10), 1));
    ten.noteSkip({ tick: at(20), because: 'default.x', at: at(20) });
    expect(ten.upcoming(at(20), 5)).toEqual([at(30)]);
    ten.noteRun(run(at(30), 2));
    expect(ten.due(at(95), at(0))).toEqual([]);
    expect(ten.upcoming(at(35), 5)).toEqual([]);
  });

  it.each([{ limit: 2 }, { endsAt: at(20) }])('takes no time once it has ended (%j)', (end) => {
    let questions = 0;
    const { next, previous } = timetableOf({ every: 10 * SECOND, timezone: 'UTC' });
    const counting = (time: number) => (++questions, next(time));
    const ten = new Schedule({ ...schedule(end).stored }, { next: counting, previous });
    ten.noteRun(run(at(10), 1));
    ten.noteRun(run(at(20), 2));
    expect(ten.due(at(24 * 3_600), at(0))).toEqual([]);
    expect(questions).toBeLessThan(10);
  });

  it('counts anew when the times are changed', () => {
    const ten = schedule({ limit: 2, since: at(31) });
    ten.noteRun(run(at(30), 2));
    expect(ten.runs).toBe(0);
    expect(ten.due(at(55), at(0))).toEqual([at(40), at(50)]);
  });

  it('is nothing when the clock was put back behind what was done', () => {
    const ten = schedule();
    ten.noteRun(run(at(3600), 360));
    expect(ten.due(at(35), at(0))).toEqual([]);
    expect(ten.upcoming(at(35), 1)).toEqual([at(3610)]);
  });

  it('knows the last of two that were noted in the wrong order', () => {
    const ten = schedule();
    ten.noteRun(run(at(20), 2));
    ten.noteRun(run(at(10), 1));
    expect(ten.runs).toBe(2);
  });
});
