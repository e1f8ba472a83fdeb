import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Gatherer } from '../../../../lib/engine/bullmq/gatherer.js';
import { EngineUnavailableError } from '../../../../lib/errors.js';

type Run = (items: readonly string[]) => Promise<readonly string[]>;

const answerOf = (item: string) => `${item}!`;
const answerAll: Run = async (items) => items.map(answerOf);

const run = jest.fn<Run>();
let gatherer: Gatherer<string, string>;

beforeEach(() => {
  run.mockReset().mockImplementation(answerAll);
  gatherer = new Gatherer(run, { size: 3, atOnce: 2 });
});

const calls = () => run.mock.calls.map(([items]) => items.join(''));
const ask = (items: string) => Promise.all(Array.from(items, (item) => gatherer.call(item)));

/** Makes each call wait until the test ends it, by its place. */
function holdCalls(): ((error?: Error) => void)[] {
  const end: ((error?: Error) => void)[] = [];
  run.mockImplementation(async (items) => {
    const error = await new Promise<Error | undefined>((resolve) => end.push(resolve));
    if (error) throw error;
    return answerAll(items);
  });
  return end;
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

it('the items of one turn of the event loop share a call, and each caller gets the answer for its item', async () => {
  expect(await ask('ab')).toEqual(['a!', 'b!']);
  expect(await ask('c')).toEqual(['c!']);
  expect(calls()).toEqual(['ab', 'c']);
});

it('at most as many calls as the limit says are under way, and the items that came meanwhile share the next one', async () => {
  const end = holdCalls();
  const first = ask('abcdefg');
  await turns();
  expect(calls()).toEqual(['abc', 'def']);
  const second = ask('hi');
  await turns();
  expect(calls()).toEqual(['abc', 'def']);
  end[1]!();
  await turns();
  expect(calls()).toEqual(['abc', 'def', 'ghi']);
  end[0]!();
  end[2]!();
  expect(await first).toHaveLength(7);
  expect(await second).toEqual(['h!', 'i!']);
});

it('the items that a call does not answer for come first in the next one', async () => {
  run.mockImplementation(async (items) => items.slice(0, 2).map(answerOf));
  expect(await ask('abcdefg')).toEqual(['a!', 'b!', 'c!', 'd!', 'e!', 'f!', 'g!']);
  expect(calls().slice(0, 2)).toEqual(['abc', 'def']);
  expect(calls().at(2)).toMatch(/^[cf]g?/);
  run.mockImplementation(async () => []);
  await expect(gatherer.call('x')).rejects.toThrow('at least one item');
});

it('a call takes no further item once its items are as long as the limits allow', async () => {
  const length = { a: 1, b: 5, c: 1, d: 9, e: 0 } as Readonly<Record<string, number>>;
  gatherer = new Gatherer(run, { size: 3, atOnce: 1, length: 5 }, (item) => length[item] as number);
  expect(await ask('abcdea')).toEqual(['a!', 'b!', 'c!', 'd!', 'e!', 'a!']);
  expect(calls()).toEqual(['ab', 'cd', 'ea']);
});

describe('a call that fails', () => {
  it('is repeated for each item alone, so that the error concerns the bad item only', async () => {
    run.mockImplementation(async (items) => {
      if (items.includes('b')) throw new Error('bad b');
      return answerAll(items);
    });
    expect(await Promise.allSettled(Array.from('abc', (item) => gatherer.call(item)))).toEqual([
      { status: 'fulfilled', value: 'a!' },
      { status: 'rejected', reason: new Error('bad b') },
      { status: 'fulfilled', value: 'c!' },
    ]);
    expect(calls()).toEqual(['abc', 'a', 'b', 'c']);
  });

  it('is not repeated for an item that was alone', async () => {
    run.mockRejectedValue(new Error('bad'));
    await expect(gatherer.call('a')).rejects.toThrow('bad');
    expect(calls()).toEqual(['a']);
  });

  it('in an outage also rejects the items that waited as long, and later items get a call of their own', async () => {
    const end = holdCalls();
    const first = Promise.allSettled(Array.from('abcdef', (item) => gatherer.call(item)));
    const waited = Promise.allSettled([gatherer.call('g')]);
    await turns();
    const late = gatherer.call('h');
    await turns();
    const outage = new EngineUnavailableError('no answer');
    end[0]!(outage);
    expect((await waited)[0]).toEqual({ status: 'rejected', reason: outage });
    await turns();
    expect(calls()).toEqual(['abc', 'def', 'h']);
    for (const finish of end) finish();
    expect(await late).toBe('h!');
    expect((await first).map(({ status }) => status)).toEqual([
      ...['rejected', 'rejected', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
    ]);
  });
});
