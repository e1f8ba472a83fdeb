import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { RunPlace } from '../../../lib/engine/ports/place-port.js';
import { BatchQueue, type Batchable } from '../../../lib/workers/batches/batch-queue.js';

interface Item extends Batchable {
  readonly name: string;
}

/** So many places. A batch that finds none gets the next one that comes back. */
class Places {
  private readonly waiting: (() => void)[] = [];

  constructor(public free: number) {}

  take(): RunPlace | Promise<RunPlace> {
    const place = { giveBack: () => this.giveBack() };
    if (this.free > 0) {
      this.free--;
      return place;
    }
    return new Promise((resolve) => this.waiting.push(() => resolve(place)));
  }

  private giveBack(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free++;
  }
}

describe('BatchQueue', () => {
  let batches: string[];
  let ends: (() => void)[];
  let late: string[];
  let places: Places;
  let queue: BatchQueue<Item>;

  beforeEach(() => {
    jest.useFakeTimers();
    batches = [];
    ends = [];
    late = [];
    places = new Places(2);
    queue = new BatchQueue({
      takePlace: () => places.take(),
      tooLate: (items) => late.push(...items.map(({ name }) => name)),
      run: (batch) => {
        batches.push(batch.map(({ name }) => name).join(''));
        return new Promise((resolve) => ends.push(resolve));
      },
    });
  });
  afterEach(() => void jest.useRealTimers());

  const item = (name: string, { group = '', most = 3, wait = 100, within = Infinity } = {}): Item => ({
    ...{ name, group, most, wait, within },
  });
  const add = (names: string, options = {}) => {
    for (const name of names) queue.add(item(name, options));
  };
  const endOne = async () => {
    ends.shift()?.();
    await jest.advanceTimersByTimeAsync(0);
  };

  it('begins a full batch at once', () => {
    add('abcd');
    expect(batches).toEqual(['abc']);
  });

  it('begins a batch when its first item has waited', () => {
    add('a');
    jest.advanceTimersByTime(60);
    add('b');
    jest.advanceTimersByTime(39);
    expect(batches).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(batches).toEqual(['ab']);
  });

  it('begins a batch earlier for an item that can wait less', () => {
    add('a');
    add('b', { wait: 10 });
    jest.advanceTimersByTime(10);
    expect(batches).toEqual(['ab']);
  });

  it('begins a batch that gets due while the timer, which came too early, is set again', () => {
    add('a');
    const due = performance.now() + 100;
    const clock = jest
      .spyOn(performance, 'now')
      .mockReturnValueOnce(due - 0.1)
      .mockReturnValue(due + 0.1);
    jest.advanceTimersByTime(100);
    jest.advanceTimersByTime(10);
    clock.mockRestore();
    expect(batches).toEqual(['a']);
  });

  it('puts items of one turn together when they wait for no time', () => {
    add('ab', { wait: 0 });
    expect(batches).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(batches).toEqual(['ab']);
  });

  it('keeps groups and sizes apart', () => {
    add('ab', { group: 'x' });
    add('cd', { group: 'y' });
    add('e', { group: 'x', most: 1 });
    jest.advanceTimersByTime(100);
    expect(batches).toEqual(['e', 'ab']);
  });

  it('waits for a free place, while further items join the batch', async () => {
    places.free = 1;
    add('abc');
    add('d');
    jest.advanceTimersByTime(200);
    add('e');
    expect(batches).toEqual(['abc']);
    await endOne();
    expect(batches).toEqual(['abc', 'de']);
  });

  it('begins with the group that waits longest', async () => {
    places.free = 1;
    add('abc', { group: 'x' });
    add('d', { group: 'y' });
    jest.advanceTimersByTime(150);
    add('efg', { group: 'z' });
    await endOne();
    expect(batches).toEqual(['abc', 'd']);
    await endOne();
    expect(batches).toEqual(['abc', 'd', 'efg']);
  });

  it('asks for a place for each batch that may begin, and gives back what it does not need any more', async () => {
    places.free = 0;
    const take = jest.spyOn(places, 'take');
    add('abcdef');
    add('g');
    jest.advanceTimersByTime(200);
    expect(take).toHaveBeenCalledTimes(3);
    queue.clear();
    for (let place = 0; place < 3; place++) places['giveBack']();
    await jest.advanceTimersByTimeAsync(0);
    expect(batches).toEqual([]);
    expect(places.free).toBe(3);
  });

  it('gives up items for which there was no place in time, and lets those begin that had one when they were due', async () => {
    places.free = 1;
    add('a', { wait: 50, within: 50 });
    jest.advanceTimersByTime(50);
    expect(batches).toEqual(['a']);
    add('b', { within: 120 });
    add('c');
    jest.advanceTimersByTime(119);
    expect(late).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(late).toEqual(['b']);
    await endOne();
    expect([batches, late]).toEqual([['a', 'c'], ['b']]);
  });

  it('forgets an item that is removed, and all of them when it is cleared', () => {
    const removed = item('a');
    queue.add(removed);
    add('b');
    expect(queue.remove(removed)).toBe(true);
    expect(queue.remove(removed)).toBe(false);
    add('c', { group: 'x' });
    expect(queue.clear().map(({ name }) => name)).toEqual(['b', 'c']);
    jest.advanceTimersByTime(1_000);
    expect(batches).toEqual([]);
  });
});
