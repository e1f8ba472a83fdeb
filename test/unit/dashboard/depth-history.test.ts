import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { DepthHistory } from '../../../lib/dashboard/depth/depth-history.js';
import { DepthWatch } from '../../../lib/dashboard/depth/depth-watch.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 28);

const queue = (name: string, queued: number, running: number) =>
  ({ name, counts: { queued, running } }) as Parameters<DepthHistory['note']>[0][number];

describe('the history of the depth of queues', () => {
  it('has the most of each step, for a queue and for all together, and nothing where nobody looked', () => {
    const history = new DepthHistory();
    history.note([queue('mail', 3, 1), queue('reports', 10, 0)], START + 1_000);
    history.note([queue('mail', 8, 0), queue('reports', 1, 2)], START + 50_000);
    history.note([queue('mail', 2, 0)], START + 3 * MINUTE);
    const times = [START, START + MINUTE, START + 3 * MINUTE];
    expect(history.read('hour', times, 'mail')).toEqual([{ queued: 8, running: 1 }, null, { queued: 2, running: 0 }]);
    expect(history.read('hour', times, 'reports')).toEqual([{ queued: 10, running: 2 }, null, null]);
    // The most at one time: 13, and not 8 and 10 of different times.
    expect(history.read('hour', times)).toEqual([{ queued: 13, running: 2 }, null, { queued: 2, running: 0 }]);
    expect(history.read('day', [START])).toEqual([{ queued: 13, running: 2 }]);
  });

  it('keeps the steps of each span for the time of that span, however often it is noted', () => {
    const history = new DepthHistory();
    for (let at = START; at <= START + DAY; at += MINUTE) history.note([queue('mail', 1, 0)], at);
    const seen = (span: 'hour' | 'day' | 'week', step: number) =>
      history
        .read(
          span,
          Array.from({ length: DAY / step + 1 }, (_, place) => START + place * step),
        )
        .filter((depth) => depth !== null).length;
    expect(seen('hour', MINUTE)).toBe(62);
    expect(seen('day', 20 * MINUTE)).toBe(73);
    expect(seen('week', 2 * HOUR)).toBe(13);
  });
});

describe('the watch of the depth', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('looks once a minute, goes on after a failure, and stops with the application', async () => {
    jest.useFakeTimers();
    const overview = jest.fn<() => Promise<never>>().mockRejectedValue(new Error('the store is gone'));
    const watch = new DepthWatch({ overview });
    watch.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(3 * MINUTE);
    expect(overview).toHaveBeenCalledTimes(3);
    watch.onModuleDestroy();
    await jest.advanceTimersByTimeAsync(3 * MINUTE);
    expect(overview).toHaveBeenCalledTimes(3);
  });
});
