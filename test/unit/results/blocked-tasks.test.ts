import { expect, it, jest } from '@jest/globals';
import type { BlockPort, QueueBlock } from '../../../lib/engine/ports/block-port.js';
import type { ListPort, StoredList } from '../../../lib/engine/ports/list-port.js';
import type { WorkerRecord } from '../../../lib/engine/ports/worker-registry.js';
import type { BlockReason, TaskRecord, TaskState } from '../../../lib/engine/task.js';
import { BlockedTasks } from '../../../lib/results/blocked-tasks.js';

type Waiting = Partial<Record<StoredList, readonly string[]>>;

const NOW = Date.now();
const LIMIT = { max: 2, per: 1_000 };
const FREE: QueueBlock = { isPaused: false, isMaxed: false, limitedFor: 0, limit: undefined };
const worker = (queue: string, seenAt = Date.now()) => ({ queues: [queue], seenAt }) as unknown as WorkerRecord;
const task = (state: TaskState, queue = 'mail', id = `${queue}.1`) => ({ id, state, queue }) as TaskRecord;

function blockedTasks(block: QueueBlock | Error, workers: readonly WorkerRecord[], waiting: Waiting = {}) {
  const blockOf = jest.fn<BlockPort['blockOf']>(async () => {
    if (block instanceof Error) throw block;
    return block;
  });
  const list = jest.fn(async () => [...workers]);
  const first = jest.fn<ListPort['list']>(async ({ list: name }) =>
    (waiting[name] ?? []).map((id) => ({
      record: task('queued', 'mail', id),
      parent: undefined,
      args: () => [],
      position: [],
      time: 0,
    })),
  );
  const engine = { blockOf, now: () => NOW, workers: { list } as never, lists: { list: first } as never };
  return { blocked: new BlockedTasks({ engine, rateLimitOf: () => LIMIT }), blockOf, list, first };
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
  const { blocked, blockOf, list, first } = blockedTasks(FREE, []);
  for (const state of ['scheduled', 'waiting', 'running', 'retrying', 'succeeded', 'failed'] as const) {
    const record = task(state);
    expect(await blocked.withBlock(record)).toBe(record);
  }
  expect(blockOf).not.toHaveBeenCalled();
  await Promise.all([1, 2, 3].map(() => blocked.withBlock(task('queued'))));
  await blocked.withBlock(task('queued'));
  expect([blockOf.mock.calls, list.mock.calls.length, first.mock.calls.length]).toEqual([[['mail', LIMIT]], 1, 2]);
  await blocked.withBlock(task('queued', 'other'));
  expect(blockOf).toHaveBeenCalledTimes(2);
});

it('gives the status without a reason when the engine does not answer', async () => {
  const record = task('queued');
  expect(await blockedTasks(new Error('gone'), []).blocked.withBlock(record)).toBe(record);
});

it('tells the places of the first tasks, and when the rate limit lets them start', async () => {
  const limited = { ...FREE, limitedFor: 300, limit: LIMIT };
  const waiting: Waiting = { queued: ['mail.a', 'mail.b'], prioritized: ['mail.c'] };
  const { blocked } = blockedTasks(limited, [worker('mail')], waiting);
  const blockOf = async (id: string) => (await blocked.withBlock(task('queued', 'mail', id))).block;
  expect(await blockOf('mail.a')).toEqual({ by: 'rate-limit', position: 0, estimatedStart: NOW + 300 });
  expect(await blockOf('mail.c')).toEqual({ by: 'rate-limit', position: 2, estimatedStart: NOW + 1_300 });
  expect(await blockOf('mail.far')).toEqual({ by: 'rate-limit', position: null, estimatedStart: null });
  const free = blockedTasks(FREE, [worker('mail')], waiting).blocked;
  expect((await free.withBlock(task('queued', 'mail', 'mail.b'))).block).toEqual({
    ...{ by: null, position: 1, estimatedStart: null },
  });
});

it.each([
  { max: 0, per: 1_000 },
  { max: Number.NaN, per: 1_000 },
  { max: 1, per: 1e300 },
  { max: 1e-9, per: 31_557_600_000_000 },
])('does not tell when a limit of %j lets tasks start: no clock has the time', async (limit) => {
  const waiting: Waiting = { queued: ['mail.a', 'mail.b'] };
  const { blocked } = blockedTasks({ ...FREE, limitedFor: 300, limit }, [worker('mail')], waiting);
  const { block } = await blocked.withBlock(task('queued', 'mail', 'mail.b'));
  expect(block).toEqual({ by: 'rate-limit', position: 1, estimatedStart: null });
});

it('does not tell the places behind a long queue', async () => {
  const queued = Array.from({ length: 100 }, (_, n) => `mail.${n}`);
  const { blocked } = blockedTasks(FREE, [worker('mail')], { queued, prioritized: ['mail.last'] });
  expect((await blocked.withBlock(task('queued', 'mail', 'mail.99'))).block?.position).toBe(99);
  expect((await blocked.withBlock(task('queued', 'mail', 'mail.last'))).block?.position).toBe(null);
});
