import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, expect, test } from '@jest/globals';

const { run, enterWith } = AsyncLocalStorage.prototype;
const { disableAsyncStores } = await import('../../support/async-stores.js');
afterAll(() => void Object.assign(AsyncLocalStorage.prototype, { run, enterWith }));

test('disableAsyncStores() disables the stores that were entered, and they work when they are entered again', () => {
  const [one, other] = [new AsyncLocalStorage<number>(), new AsyncLocalStorage<number>()];
  one.run(1, () => other.enterWith(2));
  // A disabled store has no value in any context.
  one.run(1, () => {
    disableAsyncStores();
    expect([one.getStore(), other.getStore()]).toEqual([undefined, undefined]);
  });
  expect(one.run(3, () => one.getStore())).toBe(3);
});
