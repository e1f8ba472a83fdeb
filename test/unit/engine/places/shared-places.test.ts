import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readBook } from '../../../../lib/engine/places/place-book.js';
import type { PlaceStore, StoredPlaces } from '../../../../lib/engine/places/place-store.js';
import { SharedPlaces } from '../../../../lib/engine/places/shared-places.js';
import type { RunPlace } from '../../../../lib/engine/ports/place-port.js';

/** A store whose calls take 1 ms each, like one on a server. */
class FakeStore implements PlaceStore {
  book = '';
  limit: number | undefined;
  reads = 0;
  replaces = 0;
  isDown = false;
  /** Whether messages arrive. */
  delivers = true;
  private readonly listeners: ((queue: string, owners: readonly string[]) => void)[] = [];

  now(): number {
    return Date.now();
  }

  async read(): Promise<StoredPlaces> {
    this.reads++;
    await this.answer();
    return { book: this.book, limit: this.limit };
  }

  async replace(_queue: string, before: string, next: string): Promise<StoredPlaces> {
    this.replaces++;
    await this.answer();
    if (this.book === before) this.book = next;
    return { book: this.book, limit: this.limit };
  }

  announce(queue: string, owners: readonly string[]): void {
    if (this.delivers) for (const tell of this.listeners) tell(queue, owners);
  }

  listen(owner: string, listener: (queue?: string) => void): void {
    this.listeners.push((queue, owners) => {
      if (owners.includes(owner)) listener(queue);
    });
  }

  get taken(): number {
    return readBook(this.book).taken.size;
  }

  private async answer(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.isDown) throw new Error('The store is down.');
  }
}

describe('the places that processes share', () => {
  let store: FakeStore;
  let processes: SharedPlaces[];
  let errors: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    store = new FakeStore();
    processes = [];
    errors = [];
  });
  afterEach(() => void jest.useRealTimers());

  const start = () => {
    const places = new SharedPlaces({ store, lease: 30_000, onError: ({ message }) => errors.push(message) });
    processes.push(places);
    return places;
  };
  const pass = (milliseconds = 50) => jest.advanceTimersByTimeAsync(milliseconds);
  /** Takes places, and gives the list of those that have come. */
  const take = (places: SharedPlaces, times: number) => {
    const given: RunPlace[] = [];
    for (let time = 0; time < times; time++) void places.take('rows').then((place) => given.push(place));
    return given;
  };

  it('are as many as the limit, and go to the process that has waited longest', async () => {
    store.limit = 2;
    const [one, two] = [start(), start()];
    const first = take(one, 3);
    await pass();
    const second = take(two, 1);
    await pass();
    expect([first.length, second.length]).toEqual([2, 0]);
    first[0]?.giveBack();
    await pass();
    expect([first.length, second.length]).toEqual([3, 0]);
    first[1]?.giveBack();
    await pass();
    expect([first.length, second.length]).toEqual([3, 1]);
    for (const place of [...first, ...second]) place.giveBack();
    await pass();
    expect(store.book).toBe('');
  });

  it('take one call to the store where a run ends and the next one begins', async () => {
    store.limit = 1;
    const places = start();
    const given = take(places, 1);
    await pass();
    const before = store.replaces + store.reads;
    given[0]?.giveBack();
    const next = take(places, 1);
    await pass();
    expect(next).toHaveLength(1);
    expect(store.replaces + store.reads - before).toBe(1);
  });

  it('are given out as before when messages get lost', async () => {
    store.limit = 1;
    store.delivers = false;
    const first = take(start(), 1);
    await pass();
    const second = take(start(), 1);
    await pass();
    first[0]?.giveBack();
    await pass(2_000);
    expect(second).toHaveLength(1);
  });

  it('come back when their process dies, and stay with one that lives', async () => {
    store.limit = 2;
    const [dead, alive] = [start(), start()];
    take(dead, 1);
    take(alive, 1);
    await pass();
    const next = take(start(), 1);
    // A dead process makes no calls any more.
    dead['queues'].get('rows')!.update = () => undefined;
    await pass(29_000);
    expect(next).toHaveLength(0);
    await pass(3_000);
    expect(next).toHaveLength(1);
    expect(store.taken).toBe(2);
    await pass(60_000);
    expect(store.taken).toBe(2);
  });

  it('cost no call for each run while there is no limit, and count the runs that go on when one is set', async () => {
    const [one, two] = [start(), start()];
    const runs = take(one, 5);
    await pass();
    expect(runs).toHaveLength(5);
    for (let time = 0; time < 100; time++) void one.take('rows').then((place) => place.giveBack());
    await pass(0);
    expect([store.reads, store.replaces]).toEqual([1, 0]);
    store.limit = 3;
    await pass(2_500);
    expect(store.taken).toBe(5);
    const other = take(two, 1);
    await pass();
    expect(other).toHaveLength(0);
    store.limit = undefined;
    await pass(2_500);
    expect(other).toHaveLength(1);
    await pass(10_000);
    expect(store.book).toBe('');
  });

  it('are asked for until the store can be reached', async () => {
    store.limit = 1;
    store.isDown = true;
    const given = take(start(), 1);
    await pass(3_000);
    expect(given).toHaveLength(0);
    expect(errors).toContain('The store is down.');
    store.isDown = false;
    await pass(1_100);
    expect(given).toHaveLength(1);
  });

  it('are given back when the process closes, and so are its requests', async () => {
    store.limit = 1;
    const [one, two] = [start(), start()];
    const [run] = [take(one, 2)];
    await pass();
    run[0]?.giveBack();
    const closed = one.close();
    await pass();
    await closed;
    const other = take(two, 1);
    await pass();
    expect(other).toHaveLength(1);
    expect(run.length).toBeLessThanOrEqual(2);
    expect(store.taken).toBe(1);
  });

  it('are never more than the limit, with many processes at the same time', async () => {
    store.limit = 3;
    let [running, most, done] = [0, 0, 0];
    const work = async (places: SharedPlaces) => {
      const place = await places.take('rows');
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      done++;
      place.giveBack();
    };
    for (let process = 0; process < 10; process++) {
      const places = start();
      for (let run = 0; run < 10; run++) void work(places);
    }
    await pass(20_000);
    expect([done, most]).toEqual([100, 3]);
    await pass(1_000);
    expect(store.book).toBe('');
  });
});
