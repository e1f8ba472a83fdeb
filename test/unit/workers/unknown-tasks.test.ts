import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TaskRegistry } from '../../../lib/tasks/task-registry.js';
import { RunPlaces } from '../../../lib/workers/batches/run-places.js';
import { TaskContext } from '../../../lib/workers/task-context.js';
import { TaskExecutor } from '../../../lib/workers/task-executor.js';
import { deliveryOf } from '../../support/delivery.js';

let warnings: string[];

beforeEach(() => {
  warnings = [];
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => void warnings.push(line));
  jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
});
afterEach(() => void jest.restoreAllMocks());

/** A process that declares no task. */
const executor = (isDeclaredElsewhere: boolean, isChild = false) =>
  new TaskExecutor(new TaskRegistry(), new TaskContext(), {
    maxPayload: 1e6,
    unknownTaskReturns: 12,
    places: new RunPlaces({ concurrency: () => 10, shared: () => undefined }),
    isDeclaredElsewhere: async () => isDeclaredElsewhere,
    now: () => Date.now(),
    isChild,
  });

/** A task that was given back so many times. */
const returned = (times: number, name = 'unknown') => deliveryOf({ name, returns: times });

it('a task that no worker declares is put back twelve times, and then fails', async () => {
  const unknown = executor(false);
  await expect(unknown.handle(returned(0))).resolves.toEqual({ kind: 'postponed', delay: 1_000 });
  await expect(unknown.handle(returned(11))).resolves.toEqual({ kind: 'postponed', delay: 30_000 });
  await expect(unknown.handle(returned(12))).resolves.toMatchObject({
    kind: 'failed',
    failure: { code: 'UNKNOWN_TASK', message: expect.stringContaining('@Task(') },
  });
});

it('in a child process, the failure tells where to import the module', async () => {
  await expect(executor(false, true).handle(returned(12))).resolves.toMatchObject({
    failure: {
      code: 'UNKNOWN_TASK',
      message: expect.stringMatching(/child process .*Import it in the module that isolation\.app names/),
    },
  });
});

it('a task that another worker declares never fails, and is put back for a second at most', async () => {
  const elsewhere = executor(true);
  for (const [times, delay] of [
    [0, 100],
    [1, 200],
    [12, 1_000],
    [5_000, 1_000],
  ] as const) {
    await expect(elsewhere.handle(returned(times))).resolves.toEqual({ kind: 'postponed', delay });
  }
});

it('a task that expired while it was put back has expired, and is not unknown', async () => {
  const expired = { ...returned(12), options: { expiresAt: Date.now() - 1 } };
  await expect(executor(false).handle(expired)).resolves.toMatchObject({ failure: { code: 'TASK_EXPIRED' } });
});

it('many tasks of an unknown name make one line in the log', async () => {
  const unknown = executor(false);
  for (let task = 0; task < 100; task++) await unknown.handle(returned(0));
  await unknown.handle(returned(0, 'other'));
  expect(warnings).toHaveLength(2);
});
