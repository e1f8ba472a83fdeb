import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { OnStored, StoreLimits } from '../../../../../lib/engine/bullmq/driver.js';
import type { JobEntry } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import { EnqueueBatch } from '../../../../../lib/engine/bullmq/operations/enqueue-batch.js';
import { EngineUnavailableError } from '../../../../../lib/errors.js';

type Store = (jobs: readonly JobEntry[], onStored: OnStored) => Promise<readonly number[] | void>;

const LIMITS: StoreLimits = { size: 3, atOnce: 2, length: 1_000 };

function jobs(...ids: string[]): JobEntry[] {
  return ids.map((jobId) => ({ jobId, job: { data: '{}' } }) as JobEntry);
}

const idsOf = (entries: readonly JobEntry[]) => entries.map(({ jobId }) => jobId);

/** Stores every job under its own id. */
const storeAll: Store = async (entries, onStored) => entries.forEach(({ jobId }, index) => onStored(index, jobId));

const store = jest.fn<Store>();
let batch: EnqueueBatch;

beforeEach(() => {
  store.mockReset().mockImplementation(storeAll);
  batch = new EnqueueBatch({ store: async (...args) => (await store(...args)) ?? [], limits: LIMITS, timeout: 200 });
});

/** The ids of each call of the store. */
const stored = () => store.mock.calls.map(([entries]) => idsOf(entries));

/** Lets everything happen that waits for nothing but the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

describe('the jobs of one turn of the event loop', () => {
  it('are stored together, however many callers add them', async () => {
    const additions = [batch.add(jobs('a')), batch.add(jobs('b', 'c'))];
    expect(store).not.toHaveBeenCalled();
    expect(await Promise.all(additions)).toEqual([['a'], ['b', 'c']]);
    expect(stored()).toEqual([['a', 'b', 'c']]);
  });

  it('are not stored with those of the next turn', async () => {
    const first = batch.add(jobs('a'));
    await new Promise(setImmediate);
    await Promise.all([first, batch.add(jobs('b'))]);
    expect(stored()).toEqual([['a'], ['b']]);
  });

  it('are stored at once when there are none', async () => {
    expect(await batch.add([])).toEqual([]);
    await settle();
    expect(store).not.toHaveBeenCalled();
  });

  it.each([
    [1, [1]],
    [3, [3]],
    [4, [3, 1]],
    [6, [3, 3]],
    [8, [3, 3, 2]],
  ])('%d of them, three a call, are stored by calls of %j', async (count, sizes) => {
    const ids = Array.from({ length: count }, (_, index) => `${index}`);
    expect(await batch.add(jobs(...ids))).toEqual(ids);
    expect(stored().map(({ length }) => length)).toEqual(sizes);
    expect(stored().flat()).toEqual(ids);
  });
});

describe('the calls of the store', () => {
  it('have no more data together than the limit says, and one job at least', async () => {
    const [small, large] = ['x'.repeat(400), 'x'.repeat(3_000)];
    const data = [small, small, small, large, large, small, small];
    const entries = data.map((text, n) => ({ jobId: `${n}`, job: { data: text } }) as JobEntry);
    expect(await batch.add({ length: data.length, at: (index) => entries[index] })).toHaveLength(data.length);
    expect(stored()).toEqual([['0', '1', '2'], ['3'], ['4'], ['5', '6']]);
  });

  it('are at most as many at a time as the limit says', async () => {
    const finish: (() => void)[] = [];
    store.mockImplementation(async (entries, onStored) => {
      await new Promise<void>((resolve) => finish.push(resolve));
      await storeAll(entries, onStored);
    });
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
    const added = batch.add(jobs(...ids));
    await settle();
    expect(stored()).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e', 'f'],
    ]);
    finish[0]?.();
    await settle();
    expect(store).toHaveBeenCalledTimes(3);
    finish[1]?.();
    finish[2]?.();
    await settle();
    expect(store).toHaveBeenCalledTimes(4);
    finish[3]?.();
    expect(await added).toEqual(ids);
  });
});

describe('the ids of an addition', () => {
  it('are in the order of its jobs, whatever the order in which they are stored', async () => {
    store.mockImplementation(async (entries, onStored) => {
      for (const index of [2, 0, 1]) onStored(index, (entries[index] as JobEntry).jobId);
    });
    expect(await batch.add(jobs('a', 'b', 'c'))).toEqual(['a', 'b', 'c']);
  });

  it('are those of earlier jobs for duplicates', async () => {
    store.mockImplementation(async (_, onStored) => ['a', 'earlier', 'c'].forEach((id, index) => onStored(index, id)));
    expect(await batch.add(jobs('a', 'b', 'c'))).toEqual(['a', 'earlier', 'c']);
  });

  it('are those that were reported first when the store repeats a call', async () => {
    store.mockImplementation(async (_, onStored) => {
      onStored(0, 'first');
      onStored(0, 'second');
      onStored(1, 'b');
    });
    expect(await batch.add(jobs('a', 'b'))).toEqual(['first', 'b']);
  });

  it('are known to a caller as soon as all its jobs are stored, though others are not', async () => {
    let finish = () => {};
    store.mockImplementation(async (entries, onStored) => {
      onStored(0, (entries[0] as JobEntry).jobId);
      await new Promise<void>((resolve) => (finish = resolve));
      onStored(1, (entries[1] as JobEntry).jobId);
    });
    const [first, second] = [batch.add(jobs('a')), batch.add(jobs('b'))];
    expect(await first).toEqual(['a']);
    finish();
    expect(await second).toEqual(['b']);
  });
});

describe('a failure of the store', () => {
  /** Refuses every call with a bad job in it, as a database refuses a whole statement. */
  const refuse = (...bad: string[]): Store => {
    return async (entries, onStored) => {
      const refused = entries.filter(({ jobId }) => bad.includes(jobId));
      if (refused.length > 0) throw new Error(`bad: ${idsOf(refused).join()}`);
      await storeAll(entries, onStored);
    };
  };

  it('is that of the bad job alone: the others are stored without it, half by half', async () => {
    store.mockImplementation(refuse('b'));
    const additions = [batch.add(jobs('a')), batch.add(jobs('b')), batch.add(jobs('c'))];
    expect(await Promise.allSettled(additions)).toEqual([
      { status: 'fulfilled', value: ['a'] },
      { status: 'rejected', reason: new Error('bad: b') },
      { status: 'fulfilled', value: ['c'] },
    ]);
    expect(stored()).toEqual([['a', 'b', 'c'], ['a', 'b'], ['a'], ['b'], ['c']]);
  });

  it('is each bad job’s own', async () => {
    store.mockImplementation(refuse('a', 'c'));
    const additions = [batch.add(jobs('a')), batch.add(jobs('b')), batch.add(jobs('c'))];
    expect(await Promise.allSettled(additions)).toEqual([
      { status: 'rejected', reason: new Error('bad: a') },
      { status: 'fulfilled', value: ['b'] },
      { status: 'rejected', reason: new Error('bad: c') },
    ]);
  });

  it('makes an addition fail of which one job is bad', async () => {
    store.mockImplementation(refuse('b'));
    await expect(batch.add(jobs('a', 'b'))).rejects.toThrow('bad: b');
  });

  it('is final for a job that was alone in its call', async () => {
    store.mockImplementation(refuse('a'));
    await expect(batch.add(jobs('a'))).rejects.toThrow('bad: a');
    expect(store).toHaveBeenCalledTimes(1);
  });

  it('concerns the jobs of its own call only', async () => {
    store.mockImplementation(refuse('d'));
    const additions = [batch.add(jobs('a', 'b', 'c')), batch.add(jobs('d'))];
    expect(await Promise.allSettled(additions)).toEqual([
      { status: 'fulfilled', value: ['a', 'b', 'c'] },
      { status: 'rejected', reason: new Error('bad: d') },
    ]);
    expect(stored()).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('leaves the ids that were reported before it', async () => {
    store.mockImplementationOnce(async (_, onStored) => {
      onStored(0, 'earlier');
      throw new Error('the connection broke');
    });
    expect(await batch.add(jobs('a', 'b'))).toEqual(['earlier', 'b']);
  });

  it('is that of all callers when the engine cannot be reached, without another call', async () => {
    const outage = new EngineUnavailableError('no answer');
    store.mockRejectedValue(outage);
    const additions = [batch.add(jobs('a')), batch.add(jobs('b', 'c'))];
    expect(await Promise.allSettled(additions)).toEqual([
      { status: 'rejected', reason: outage },
      { status: 'rejected', reason: outage },
    ]);
    expect(store).toHaveBeenCalledTimes(1);
  });

  it('does not concern a caller whose jobs were stored before the engine could not be reached', async () => {
    store.mockImplementationOnce(async (_, onStored) => {
      onStored(0, 'a');
      throw new EngineUnavailableError('no answer');
    });
    expect(await Promise.allSettled([batch.add(jobs('a')), batch.add(jobs('b'))])).toEqual([
      { status: 'fulfilled', value: ['a'] },
      { status: 'rejected', reason: new EngineUnavailableError('no answer') },
    ]);
  });

  it('does not stop the calls that follow', async () => {
    store.mockRejectedValueOnce(new EngineUnavailableError('no answer'));
    const additions = [batch.add(jobs('a', 'b', 'c')), batch.add(jobs('d'))];
    expect((await Promise.allSettled(additions)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await batch.add(jobs('e'))).toEqual(['e']);
  });
});

describe('a job whose key is locked', () => {
  /** Stores all but the locked ones. */
  const storeBut =
    (locked: ReadonlySet<string>): Store =>
    async (entries, onStored) => {
      entries.forEach(({ jobId }, index) => !locked.has(jobId) && onStored(index, jobId));
      return entries.flatMap(({ jobId }, index) => (locked.has(jobId) ? [index] : []));
    };

  it('is stored once its key is free, and keeps no other job waiting', async () => {
    const locked = new Set(['b']);
    store.mockImplementation(storeBut(locked));
    const [first, second] = [batch.add(jobs('a')), batch.add(jobs('b', 'c'))];
    expect(await first).toEqual(['a']);
    expect(await batch.add(jobs('d', 'e', 'f', 'g'))).toEqual(['d', 'e', 'f', 'g']);
    locked.clear();
    expect(await second).toEqual(['b', 'c']);
    const again = stored()
      .slice(1)
      .filter((ids) => ids.includes('b'));
    expect(new Set(again.flat())).toEqual(new Set(['b']));
  });

  it('is refused when its time is over', async () => {
    store.mockImplementation(storeBut(new Set(['a'])));
    await expect(batch.add(jobs('a'))).rejects.toThrow(EngineUnavailableError);
    const calls = store.mock.calls.length;
    expect(await batch.add(jobs('b'))).toEqual(['b']);
    expect(store.mock.calls.length).toBe(calls + 1);
  });
});
