import { expect, it, jest } from '@jest/globals';
import type { BlockPort, QueueBlock } from '../../../lib/engine/ports/block-port.js';
import type { WorkerRecord } from '../../../lib/engine/ports/worker-registry.js';
import type { BlockReason, TaskRecord, TaskState } from '../../../lib/engine/task.js';
import { BlockedTasks } from '../../../lib/results/blocked-tasks.js';

const FREE: QueueBlock = { isPaused: false, isMaxed: false, limitedFor: 0 };
const worker = (queue: string, seenAt = Date.now()) => ({ queues: [queue], seenAt }) as unknown as WorkerRecord;
const task = (state: TaskState, queue = 'mail') => ({ state, queue }) as TaskRecord;

function blockedTasks(block: QueueBlock | Error, workers: readonly WorkerRecord[]) {
  const blockOf = jest.fn<BlockPort['blockOf']>(async () => {
    if (block instanceof Error) throw block;
    return block;
  });
  const list = jest.fn(async () => [...workers]);
  const engine = { blockOf, now: () => Date.now(), workers: { list } as never };
  return { blocked: new BlockedTasks({ engine, maxStarts: () => 5 }), blockOf, list };
}

it.each<[what: string, block: Partial<QueueBlock>, workers: readonly WorkerRecord[], reason: BlockReason | null]>([
  ['nothing', {}, [worker('mail')], null],
  ['no worker at all', {}, [], 'no-worker'],
  ['workers of other queues', {}, [worker('other')], 'no-worker'],
  ['a worker that is lost', {}, [worker('mail', Date.now() - 60_000)], 'no-worker'],
  ['the rate limit', { limitedFor: 7, isMaxed: true }, [worker('mail')], 'rate-limit'],
  ['the global concurrency', { isMaxed: true }, [worker('mail')], 'concurrency'],
  ['a pause, whatever else', { isPaused: true, isMaxed: true, limitedFor: 7 }, [], 'paused'],
])('a queued task is kept back by %s', async (_, block, workers, reason) => {
  const { blocked } = blockedTasks({ ...FREE, ...block }, workers);
  expect((await blocked.withBlock(task('queued'))).block?.by).toBe(reason);
});

it('asks nothing for tasks that are not queued, and once for many tasks of a queue', async () => {
  const { blocked, blockOf, list } = blockedTasks(FREE, []);
  for (const state of ['scheduled', 'waiting', 'running', 'retrying', 'succeeded', 'failed'] as const) {
    const record = task(state);
    expect(await blocked.withBlock(record)).toBe(record);
  }
  expect(blockOf).not.toHaveBeenCalled();
  await Promise.all([1, 2, 3].map(() => blocked.withBlock(task('queued'))));
  await blocked.withBlock(task('queued'));
  expect([blockOf.mock.calls, list.mock.calls.length]).toEqual([[['mail', 5]], 1]);
  await blocked.withBlock(task('queued', 'other'));
  expect(blockOf).toHaveBeenCalledTimes(2);
});

it('gives the status without a reason when the engine does not answer', async () => {
  const record = task('queued');
  expect(await blockedTasks(new Error('gone'), []).blocked.withBlock(record)).toBe(record);
});
