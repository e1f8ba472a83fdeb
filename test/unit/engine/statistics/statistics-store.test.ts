import { describe, expect, it } from '@jest/globals';
import { Bucket, MOST_NAMES, OTHER_NAMES } from '../../../../lib/engine/statistics/bucket.js';
import { Durations } from '../../../../lib/engine/statistics/durations.js';
import { StatisticsStore } from '../../../../lib/engine/statistics/statistics-store.js';
import { Statistics } from '../../../../lib/engine/statistics/statistics.js';
import { MINUTE } from '../../../../lib/engine/statistics/task-counter.js';
import { MemoryTexts, type TextStore } from '../../../../lib/engine/statistics/text-store.js';

const START = Date.UTC(2026, 0, 1);
const HOUR = 60 * MINUTE;
const WEEK = 7 * 24 * HOUR;

function world() {
  let now = START;
  const texts = { parts: new Map<string, string>(), merged: new Map<string, string>() };
  const parts = new MemoryTexts(() => texts.parts);
  const merged = new MemoryTexts(() => texts.merged);
  const process = (changes: { parts?: TextStore; merged?: TextStore } = {}) =>
    new StatisticsStore({ parts, merged, now: () => now, keep: WEEK, ...changes });
  const add = async (count: number, at = now, store = process()) => {
    const bucket = new Bucket();
    bucket.of('mail', 'send').counts.succeeded = count;
    bucket.of('mail', 'send').run.add(count);
    await store.add(new Map([[store.newPart(at - (at % MINUTE)), bucket]]));
  };
  const sum = async () => {
    const slices = await process().read(0, now + MINUTE);
    return slices.reduce((total, { bucket }) => total + bucket.of('mail', 'send').counts.succeeded, 0);
  };
  return { texts, parts, merged, process, add, sum, pass: (time: number) => (now += time), now: () => now };
}

describe('the store of statistics', () => {
  it('merges the parts of all processes, once their minute is over', async () => {
    const { texts, add, process, sum, pass } = world();
    for (const count of [1, 2, 3]) await add(count);
    expect(await sum()).toBe(6);
    await process().merge();
    expect(texts.parts.size).toBe(3);
    pass(2 * MINUTE);
    await process().merge();
    expect([texts.parts.size, texts.merged.size]).toEqual([0, 1]);
    expect(await sum()).toBe(6);
    await add(4, START);
    expect(await sum()).toBe(10);
    await process().merge();
    expect([texts.parts.size, texts.merged.size, await sum()]).toEqual([0, 1, 10]);
  });

  it('keeps totals of what is too old to be kept itself', async () => {
    const { texts, merged, add, process, sum, pass } = world();
    const total = async () => (await process().totals()).get('mail')?.succeeded;
    expect(await total()).toBeUndefined();
    await add(1);
    expect(await total()).toBe(1);
    for (const count of [2, 3]) {
      pass(WEEK + 2 * HOUR);
      await process().merge();
      await add(count);
    }
    expect(await total()).toBe(6);
    // A series has only what is kept.
    expect(await sum()).toBe(3);
    pass(2 * WEEK);
    const dying = process({
      merged: Object.assign(Object.create(merged), { delete: () => Promise.reject(new Error('killed')) }),
    });
    await dying.merge().catch(() => undefined);
    expect(await total()).toBe(6);
    await process().merge();
    await process().merge();
    expect(await total()).toBe(6);
    expect(texts.merged.size).toBeLessThanOrEqual(2);
  });

  it('counts nothing twice when the process that merges dies before it deletes', async () => {
    const { parts, merged, add, process, sum, pass } = world();
    const dies = { delete: () => Promise.reject(new Error('killed')) };
    await add(1);
    await add(2);
    pass(2 * MINUTE);
    const dying = process({ parts: Object.assign(Object.create(parts), dies) });
    await expect(dying.merge()).rejects.toThrow('killed');
    expect(await sum()).toBe(3);
    await add(4, START);
    expect(await sum()).toBe(7);
    await process().merge();
    expect(await sum()).toBe(7);
    pass(3 * HOUR);
    const rolling = process({ merged: Object.assign(Object.create(merged), dies) });
    await expect(rolling.merge()).rejects.toThrow('killed');
    expect(await sum()).toBe(7);
    await process().merge();
    expect(await sum()).toBe(7);
  });

  it('loses nothing when the process that merges dies before it writes', async () => {
    const { merged, add, process, sum, pass } = world();
    await add(5);
    pass(2 * MINUTE);
    const dying = process({
      merged: Object.assign(Object.create(merged), { set: () => Promise.reject(new Error('killed')) }),
    });
    await expect(dying.merge()).rejects.toThrow('killed');
    expect(await sum()).toBe(5);
    await process().merge();
    expect(await sum()).toBe(5);
  });

  it('keeps a bounded number of buckets, and forgets what is older than a week', async () => {
    const { texts, add, process, sum, pass } = world();
    let added = 0;
    for (let hour = 0; hour < 24 * 9; hour++) {
      for (const minute of [0, 20, 40]) await add(1, START + hour * HOUR + minute * MINUTE);
      added += 3;
      pass(HOUR);
      await process().merge();
    }
    expect(texts.merged.size).toBeLessThan(7 * 24 + 24 * 6 + 3 * 60);
    const kept = await sum();
    expect(kept).toBeLessThan(added);
    expect(kept).toBeGreaterThanOrEqual(3 * 24 * 7 - 6);
    expect(kept).toBeLessThanOrEqual(3 * 24 * 7 + 6);
    expect([...texts.merged.keys()].filter((key) => key.endsWith(':1')).length).toBeLessThanOrEqual(9);
  });

  it('leaves texts alone that it cannot read', async () => {
    const { texts, sum, add } = world();
    for (const text of [
      '',
      'no JSON',
      'null',
      '[]',
      '{"format":2,"sources":[],"queues":[]}',
      '{"format":1,"sources":[],"queues":7}',
    ])
      texts.parts.set(`${START}:x:${text.length}`, text);
    texts.parts.set(
      `${START}:y:1`,
      JSON.stringify({
        format: 1,
        sources: [],
        queues: [['mail', [['send', ['x', -1, 2, 3, 4, 5, 'no histogram', 7]]]]],
      }),
    );
    await add(1);
    expect(await sum()).toBe(1);
  });
});

describe('a bucket', () => {
  it('counts the names beyond a bound together, also when buckets are merged', () => {
    const bucketOf = (prefix: string) => {
      const bucket = new Bucket();
      for (let name = 0; name < MOST_NAMES + 100; name++) bucket.of('mail', `${prefix}${name}`).counts.enqueued++;
      return bucket;
    };
    const [bucket, other] = [bucketOf('a'), bucketOf('b')];
    bucket.merge(Bucket.read(other.write()) as Bucket);
    const entries = [...bucket.entries()];
    expect(entries).toHaveLength(MOST_NAMES + 1);
    expect(bucket.of('mail', OTHER_NAMES).counts.enqueued).toBe(MOST_NAMES + 200);
  });
});

describe('durations', () => {
  it('have percentiles that are exact to one percent, also after they were stored and merged', () => {
    const all = new Durations();
    for (let part = 0; part < 10; part++) {
      const durations = new Durations();
      for (let value = part; value < 10_000; value += 10) durations.add(value);
      all.merge(new Durations(durations.write()));
    }
    for (const share of [0.5, 0.95, 0.99])
      expect(Math.abs((all.percentile(share) ?? 0) - share * 10_000)).toBeLessThan(share * 200);
    expect(new Durations().percentile(0.5)).toBeNull();
    expect(new Durations('no histogram').percentile(0.5)).toBeNull();
  });

  it('can be merged whatever their sizes', () => {
    const small = new Durations();
    small.add(1);
    const read = new Durations(small.write());
    const large = new Durations();
    large.add(86_400_000);
    read.merge(new Durations(large.write()));
    read.add(2 * 86_400_000);
    expect(read.percentile(0)).toBe(1);
    expect(read.percentile(1)).toBeGreaterThan(1.9 * 86_400_000);
  });

  it('take times of any size', () => {
    const durations = new Durations();
    for (const time of [-5, 0, 0.4, 1e15]) durations.add(time);
    expect(durations.percentile(0.5)).toBe(0);
    expect(durations.percentile(1)).toBeGreaterThan(29 * 86_400_000);
  });
});

describe('the statistics of a process', () => {
  it('keeps what could not be stored, under the same key', async () => {
    const { parts, merged, now } = world();
    let fails = true;
    const stored: string[][] = [];
    const failing: TextStore = Object.assign(Object.create(parts) as MemoryTexts, {
      set: async (texts: Record<string, string>) => {
        stored.push(Object.keys(texts));
        if (fails) throw new Error('cut off');
        await parts.set(texts);
      },
    });
    const statistics = new Statistics({ parts: failing, merged, now, keep: WEEK });
    statistics.counter?.count('succeeded', 'mail', 'send', now());
    await expect(statistics.flush()).rejects.toThrow('cut off');
    fails = false;
    statistics.counter?.count('succeeded', 'mail', 'send', now());
    statistics.counter?.count('succeeded', '_workflows', 'duty', now());
    const [...slices] = await statistics.read(0, now() + MINUTE);
    expect(slices.reduce((sum, { bucket }) => sum + bucket.of('mail', 'send').counts.succeeded, 0)).toBe(2);
    expect(slices.flatMap(({ bucket }) => [...bucket.entries()].map(([queue]) => queue))).not.toContain('_workflows');
    expect(stored[1]).toHaveLength(2);
    expect(stored[1]?.[0]).toBe(stored[0]?.[0]);
    await statistics.close();
  });
});
