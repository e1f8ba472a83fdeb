import { describe, expect, it } from '@jest/globals';
import type { WorkerRecord } from '../../../lib/engine/ports/worker-registry.js';
import { ScheduleBook } from '../../../lib/schedules/schedule-book.js';
import { ScheduleLag } from '../../../lib/schedules/schedule-lag.js';
import type { StoredSchedule } from '../../../lib/schedules/stored-schedule.js';
import { FakeScheduleStore } from '../../support/fake-schedule-store.js';

const MINUTE = 60_000;
const SINCE = Date.UTC(2026, 10, 27, 9);
/** Half a minute after a tick of `* * * * *`. */
const NOW = SINCE + 30 * MINUTE + 30_000;

function world(workers: Partial<WorkerRecord>[] = []) {
  const store = new FakeScheduleStore();
  const book = new ScheduleBook(store, () => NOW);
  const engine = { now: () => NOW, workers: { list: async () => workers as WorkerRecord[] } };
  const lag = new ScheduleLag({ engine: engine as never, book, clock: { watched: () => undefined } });
  const put = (id: string, change: Partial<StoredSchedule> = {}) =>
    book.put([
      {
        id,
        source: 'runtime',
        cron: '* * * * *',
        timezone: 'UTC',
        overlap: 'allow',
        catchUp: 'none',
        template: { name: 'a.task', queue: 'default', args: [], headers: {}, options: {} },
        since: SINCE,
        ...change,
      },
    ]);
  const handle = async (id: string, tick: number) => {
    const schedule = await book.get(id);
    if (schedule) await book.recordTicks([{ schedule, run: { tick, task: 'default.x', at: tick, count: 1 } }]);
  };
  return { store, lag, put, handle };
}

describe('ScheduleLag of a process that runs no schedules', () => {
  it('counts from the first tick that no process has handled when there is no worker', async () => {
    const { lag, put, handle } = world();
    await put('often');
    await handle('often', SINCE + 20 * MINUTE);
    const delays = await lag.read();
    // The tick of 09:20 was handled, that of 09:21 was not.
    expect(delays.late).toEqual([{ id: 'often', delay: 9.5 * MINUTE }]);
    expect(delays.byQueue).toEqual(new Map([['default', 9.5 * MINUTE]]));
  });

  it('does not count the ticks that every worker has missed', async () => {
    const { lag, put, handle } = world([
      { seenAt: NOW, startedAt: SINCE, load: { schedulesSince: NOW - 10_000 } as never },
    ]);
    await put('often');
    await handle('often', SINCE);
    await expect(lag.read()).resolves.toEqual({ byQueue: new Map([['default', 0]]), late: [], broken: [] });
  });

  it('counts a tick that a worker watches and does not handle', async () => {
    const { lag, put } = world([{ seenAt: NOW, startedAt: NOW - MINUTE }]);
    await put('often');
    await expect(lag.read()).resolves.toMatchObject({ late: [{ id: 'often', delay: 30_000 }] });
  });

  it('names broken schedules, but not those of a later version', async () => {
    const { lag, store, put } = world();
    await put('often', { cron: 'never' });
    store.texts.set('schedule:later', JSON.stringify({ format: 99 }));
    await expect(lag.read()).resolves.toEqual({ byQueue: new Map(), late: [], broken: ['often'] });
  });
});
