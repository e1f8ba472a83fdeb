import { beforeEach, expect, it } from '@jest/globals';
import { SelfWaitError } from '../../../lib/errors.js';
import { WaitsForPlaces, type WaitingRun } from '../../../lib/workers/waits-for-places.js';
import { until } from '../../support/until.js';

/** The awaited tasks that wait for a place. */
let queued: Set<string>;
let isElsewhere: boolean;
let sharedLimit: number | undefined;
let looks: string[];
let waits: WaitsForPlaces;

const run = (id: string): WaitingRun => ({ id, name: 'work', queue: 'wide' });
const begin = (of: WaitingRun, id: string) => waits.begin({ run: of, id, queue: 'wide' });
const [a, b, c] = [run('a'), run('b'), run('c')];

beforeEach(() => {
  queued = new Set();
  isElsewhere = false;
  sharedLimit = undefined;
  looks = [];
  waits = new WaitsForPlaces({
    places: 2,
    needsPlace: async ({ id }) => {
      looks.push(id);
      return queued.has(id);
    },
    isConsumedElsewhere: async () => isElsewhere,
    sharedLimit: async () => sharedLimit,
    error: (wait, { places }) => new SelfWaitError(wait.id, wait.run, places),
  });
});

it('the wait that keeps the last place fails when the awaited task needs one', async () => {
  queued.add('x').add('y');
  const first = begin(a, 'x');
  await first.checked;
  const second = begin(b, 'y');
  await expect(second.checked).rejects.toThrow('waits for task y');
  expect(second.signal.reason).toBeInstanceOf(SelfWaitError);
  expect(first.signal.aborted).toBe(false);
});

it('an earlier wait fails when the last place is kept by one for a task that runs', async () => {
  queued.add('x');
  const first = begin(b, 'x');
  const second = begin(a, 'b');
  await Promise.all([first.checked, second.checked]);
  expect(first.signal.reason).toMatchObject({ id: 'x', message: expect.stringContaining('keep all 2 places') });
  expect(second.signal.aborted).toBe(false);
});

it('one wait fails at a time, the newest one', async () => {
  queued.add('x').add('y');
  const waitsOfB = [begin(b, 'x'), begin(b, 'y')];
  const last = begin(a, 'b');
  await last.checked;
  expect(waitsOfB.map(({ signal }) => signal.aborted)).toEqual([false, true]);
});

it('no wait fails while a place is left, or another process has one', async () => {
  queued.add('x').add('y');
  const first = begin(a, 'x');
  first.end();
  first.end();
  const second = begin(b, 'y');
  await second.checked;
  isElsewhere = true;
  const third = begin(c, 'x');
  await third.checked;
  expect([second, third].map(({ signal }) => signal.aborted)).toEqual([false, false]);
  expect(looks).toEqual([]);
});

it('no wait fails when a place has become free meanwhile', async () => {
  queued.add('x');
  const first = begin(b, 'x');
  const second = begin(a, 'b');
  second.end();
  await second.checked;
  expect(first.signal.aborted).toBe(false);
});

it('a run that is over keeps no place', async () => {
  queued.add('x').add('y');
  const over = begin({ ...a, isOver: () => true }, 'x');
  await begin(b, 'y').checked;
  await expect(begin(c, 'y').checked).rejects.toThrow('waits for task y');
  expect(over.signal.aborted).toBe(false);
});

it('a wait fails when the limit of all processes leaves no place, also when others run tasks of the queue', async () => {
  isElsewhere = true;
  sharedLimit = 1;
  queued.add('x');
  const wait = begin(a, 'x');
  await wait.checked;
  await until(() => wait.signal.aborted);
  expect(wait.signal.reason).toMatchObject({ message: expect.stringContaining('keep all 1 places') });
});

it('the limit of all processes is read again for waits that began meanwhile, and an error of it counts for nothing', async () => {
  queued.add('x').add('y');
  let answer: (limit: number) => void = () => undefined;
  const reads: number[] = [];
  waits = new WaitsForPlaces({
    places: 10,
    needsPlace: async ({ id }) => queued.has(id),
    isConsumedElsewhere: async () => false,
    sharedLimit: () => {
      reads.push(reads.length);
      return reads.length === 1 ? Promise.reject(new Error('no answer')) : new Promise((resolve) => (answer = resolve));
    },
    error: (wait, { places }) => new SelfWaitError(wait.id, wait.run, places),
  });
  const first = begin(a, 'x');
  const second = begin(b, 'y');
  await until(() => reads.length === 2);
  answer(2);
  await until(() => second.signal.aborted);
  expect(first.signal.aborted).toBe(false);
});
