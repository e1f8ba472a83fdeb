import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryTexts } from '../../../lib/engine/statistics/text-store.js';
import type { Sample } from '../../../lib/metrics/metric-list.js';
import { SharedSnapshot } from '../../../lib/metrics/shared-snapshot.js';

const INTERVAL = 10_000;
const depth = (value: number): Sample => ({ key: 'tasks', labels: { queue: 'mail', state: 'queued' }, value });

/** Processes that share a store, and a clock that the test moves. */
function world() {
  const texts = new Map<string, string>();
  const memory = new MemoryTexts(() => texts);
  const self = { now: 1_000_000, readings: 0, depth: 1, texts, fails: false };
  const process = () =>
    new SharedSnapshot({
      // A store of another process takes a moment.
      store: {
        get: async (keys) => (await sleep(1), memory.get(keys)),
        set: async (changed) => (await sleep(1), memory.set(changed)),
      },
      now: () => self.now,
      interval: INTERVAL,
      read: async () => {
        self.readings++;
        if (self.fails) throw new Error('cannot be reached');
        return [depth(self.depth)];
      },
    });
  return Object.assign(self, { process });
}

describe('SharedSnapshot', () => {
  it('is counted once an interval by one of a hundred processes, and shown by all', async () => {
    const shared = world();
    const processes = Array.from({ length: 100 }, () => shared.process());
    const scrapeAll = () => Promise.all(processes.map((one) => one.samples()));
    await scrapeAll();
    expect(shared.readings).toBe(1);
    // Those that came while another one counted show its figures the next time.
    await expect(scrapeAll()).resolves.toEqual(processes.map(() => [depth(1)]));
    shared.depth = 2;
    shared.now += INTERVAL;
    await scrapeAll();
    await expect(scrapeAll()).resolves.toEqual(processes.map(() => [depth(2)]));
    expect(shared.readings).toBe(2);
  });

  it('is counted by another process when the one that claimed the work has died', async () => {
    const shared = world();
    const [dying, other] = [shared.process(), shared.process()];
    shared.fails = true;
    await expect(dying.samples()).rejects.toThrow('cannot be reached');
    shared.fails = false;
    await expect(other.samples()).resolves.toEqual([]);
    shared.now += 15_000;
    await expect(other.samples()).resolves.toEqual([depth(1)]);
  });

  it('is not shown when it is old', async () => {
    const shared = world();
    const [one, other] = [shared.process(), shared.process()];
    await one.samples();
    shared.now += 2 * INTERVAL;
    shared.fails = true;
    await expect(one.samples()).rejects.toThrow('cannot be reached');
    // Another process has just begun to count, so this one shows what there is.
    await expect(other.samples()).resolves.toEqual([depth(1)]);
    shared.now += 60_000;
    shared.texts.set('metrics-claim:1', JSON.stringify({ by: 'another', at: shared.now }));
    await expect(other.samples()).resolves.toEqual([]);
  });

  it.each(['', 'null', '[]', '{"at":1}', '{"at":1000000,"samples":[{"key":"tasks","labels":{"id":"x"},"value":1}]}'])(
    'does not believe the text %j',
    async (text) => {
      const shared = world();
      shared.texts.set('metrics:1', text);
      shared.texts.set('metrics-claim:1', text);
      await expect(shared.process().samples()).resolves.toEqual([depth(1)]);
    },
  );
});
