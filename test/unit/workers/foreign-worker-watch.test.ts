import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ForeignWorker } from '../../../lib/engine/ports/foreign-workers-port.js';
import { ForeignWorkerWatch } from '../../../lib/workers/foreign-worker-watch.js';

const OWN = {
  ...{ id: '1', host: 'web-1', pid: 7, version: '0.2.0', startedAt: 0, schedules: [], concurrency: {} },
  ...{ application: 'shop', queues: ['mail', '_control'], tasks: ['a', 'b'], tasksOfQueues: { mail: ['a'] } },
};
const FOREIGN: ForeignWorker = { queue: 'mail', address: '10.0.0.5:99', name: undefined, otherPlace: undefined };

let warn: jest.SpiedFunction<Logger['warn']>;
beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'performance', 'Date'] });
  warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.useRealTimers();
  warn.mockRestore();
});

function world(isOldest = true) {
  const found: ForeignWorker[] = [];
  const foreignWorkers = jest.fn(async (_queues: readonly string[]) => found);
  const watch = new ForeignWorkerWatch({
    engine: { foreignWorkers },
    presence: { own: () => OWN, oldestOf: async (queues) => (isOldest ? [...queues] : []) },
    processors: () => new Map([['mail', ['OldMails']]]),
  });
  return { found, foreignWorkers, watch };
}

const pass = (checks: number) => jest.advanceTimersByTimeAsync(checks * 10_000);

it('names both workers once, until the other one was gone', async () => {
  const { found, foreignWorkers, watch } = world();
  await watch.start();
  expect(foreignWorkers).toHaveBeenLastCalledWith(['mail']);
  expect(warn).not.toHaveBeenCalled();
  found.push(FOREIGN, { ...FOREIGN, address: '10.0.0.6:99' });
  await pass(3);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0]?.[0]).toMatch(
    /"mail": the worker of "shop" on web-1 \(process 7, tasks a\), and a worker of BullMQ connected from 10\.0\.0\.5:99 \(probably the @Processor\(\) OldMails of this process\)/,
  );
  found.length = 0;
  await pass(1);
  found.push({ ...FOREIGN, otherPlace: 'the schema "bull"' });
  await pass(1);
  expect(warn).toHaveBeenCalledTimes(2);
  expect(warn.mock.calls[1]?.[0]).toContain('unless that one belongs to the schema "bull"');
  await watch.stop();
  await pass(3);
  expect(foreignWorkers).toHaveBeenCalledTimes(6);
});

it('a process that is not the oldest worker of its queues checks twice and then no more', async () => {
  const { foreignWorkers, watch } = world(false);
  await watch.start();
  await pass(5);
  expect(foreignWorkers).toHaveBeenCalledTimes(2);
  await watch.stop();
});

it('an engine that cannot answer is no reason to fail', async () => {
  const { foreignWorkers, watch } = world();
  foreignWorkers.mockRejectedValue(new Error('gone'));
  await watch.start();
  await pass(2);
  expect(warn).not.toHaveBeenCalled();
  await watch.stop();
});
