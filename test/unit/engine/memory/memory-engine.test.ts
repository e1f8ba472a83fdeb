import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Json } from '../../../../lib/engine/json.js';
import { MemoryEngine } from '../../../../lib/engine/memory/memory-engine.js';
import type { ConsumerOptions, Delivery, Outcome } from '../../../../lib/engine/ports/worker-port.js';
import type { CallOptions, TaskCall } from '../../../../lib/engine/task.js';
import { newTaskId } from '../../../../lib/engine/task-id.js';
import { ManualClock } from '../../../support/manual-clock.js';

const RETENTION = { ttl: 60_000, failedTtl: 600_000 };
const OPTIONS: ConsumerOptions = { concurrency: 10, keep: { succeeded: 60_000, failed: 600_000 } };

let clock: ManualClock;
let engine: MemoryEngine;
let delivered: Delivery[];

beforeEach(() => {
  for (const level of ['log', 'warn'] as const) jest.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
  clock = new ManualClock();
  engine = new MemoryEngine({ retention: RETENTION, clock });
  delivered = [];
});
afterEach(async () => {
  await engine.close();
  jest.restoreAllMocks();
  expect(clock.waiting).toBe(0);
});

const callOf = (args: Json[] = [], options: CallOptions = {}, more: Partial<TaskCall> = {}): TaskCall => ({
  id: newTaskId('default'),
  name: 'Work.do',
  queue: 'default',
  args,
  headers: {},
  options,
  ...more,
});
async function enqueue(args?: Json[], options?: CallOptions): Promise<string> {
  const [receipt] = await engine.enqueue([callOf(args, options)]);
  return receipt?.id as string;
}
const stateOf = async (id: string) => (await engine.find(id))?.state;
function consume(outcome: (delivery: Delivery) => Outcome | Promise<Outcome>, options = OPTIONS) {
  return engine.consume('default', options, {
    handle: async (delivery) => {
      delivered.push(delivery);
      const ended = await outcome(delivery);
      if (ended.kind === 'succeeded') delivery.started();
      return ended;
    },
  });
}
const succeed = (): Outcome => ({ kind: 'succeeded', result: null });
async function settled(): Promise<void> {
  for (let times = 0; times < 5; times++) await turn();
}

it('a task and its callers share no value', async () => {
  const args: Json[] = [{ list: [1] }];
  const result = { deep: [1] };
  consume(() => ({ kind: 'succeeded', result }));
  const id = await enqueue(args);
  (args[0] as { list: number[] }).list.push(2);
  await settled();
  expect(delivered[0]?.args).toEqual([{ list: [1] }]);
  result.deep.push(2);
  const first = (await engine.find(id))?.result as { deep: number[] };
  first.deep.push(3);
  expect((await engine.find(id))?.result).toEqual({ deep: [1] });
});

it('a delayed task starts when its time has come by the clock of the engine', async () => {
  consume(succeed);
  const id = await enqueue([], { startAt: clock.now() + 40 * 24 * 60 * 60 * 1000 });
  await settled();
  expect(await stateOf(id)).toBe('scheduled');
  clock.advance(40 * 24 * 60 * 60 * 1000);
  await settled();
  expect(await stateOf(id)).toBe('succeeded');
});

it('an engine without a consumer sets no timer', async () => {
  await enqueue([], { startAt: clock.now() + 1_000 });
  expect(clock.waiting).toBe(0);
  const consumer = consume(succeed);
  expect(clock.waiting).toBe(1);
  await consumer.stop(0);
  expect(clock.waiting).toBe(0);
});

it('records are removed when their time to live is over, and what they stood for too', async () => {
  consume(succeed);
  const unique = { key: 'only', while: 'retained' } as const;
  const [first] = await engine.enqueue([callOf([], {}, { unique })]);
  await settled();
  expect(await engine.enqueue([callOf([], {}, { unique })])).toMatchObject([{ id: first?.id, deduplicated: true }]);
  clock.advance(RETENTION.ttl - 1);
  expect(await stateOf(first?.id as string)).toBe('succeeded');
  clock.advance(1);
  expect(await engine.find(first?.id as string)).toBeUndefined();
  expect(await engine.enqueue([callOf([], {}, { unique })])).toMatchObject([{ deduplicated: false }]);
});

it('the results of members are kept until the workflow ends', async () => {
  consume((delivery) => (delivery.name === 'Work.slow' ? { kind: 'postponed', delay: 600_000 } : succeed()));
  const member = (name: string) => ({ ...callOf(), name, members: [] });
  const tree = { ...callOf(), members: [member('Work.do'), member('Work.slow')] };
  await engine.enqueueTree(tree);
  await settled();
  clock.advance(2 * RETENTION.ttl);
  expect(await stateOf(tree.members[0]?.id as string)).toBe('succeeded');
  await engine.cancel(tree.id, undefined);
  expect(await engine.find(tree.members[0]?.id as string)).toBeUndefined();
});

it('a task that has expired is told so without a worker, and a worker only clears it away', async () => {
  const id = await enqueue([], { expiresAt: clock.now() + 1_000 });
  clock.advance(1_000);
  expect(await stateOf(id)).toBe('expired');
  const rateLimit = { max: 1, per: 60_000 };
  const other = await enqueue();
  consume(
    (delivery) =>
      delivery.id === id
        ? { kind: 'failed', failure: { name: 'TaskExpiredError', message: 'late', code: 'TASK_EXPIRED' } }
        : succeed(),
    { ...OPTIONS, rateLimit },
  );
  await settled();
  expect(await engine.find(id)).toMatchObject({ state: 'expired', attempt: 0 });
  // It did not count towards the rate limit.
  expect(await stateOf(other)).toBe('succeeded');
});

it('a rate limit lets the next tasks start when the period is over', async () => {
  consume(succeed, { ...OPTIONS, rateLimit: { max: 2, per: 1_000 } });
  const ids = await Promise.all(Array.from({ length: 5 }, () => enqueue()));
  const ended = async () => (await Promise.all(ids.map(stateOf))).filter((state) => state === 'succeeded').length;
  await settled();
  expect(await ended()).toBe(2);
  clock.advance(999);
  await settled();
  expect(await ended()).toBe(2);
  clock.advance(1);
  await settled();
  expect(await ended()).toBe(4);
});

it('a task that goes on after the application closed is given to another one, and its own end is dropped', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  const name = newTaskId('place');
  const [closing, other] = [0, 1].map(() => new MemoryEngine({ name, retention: RETENTION })) as [
    MemoryEngine,
    MemoryEngine,
  ];
  let end: (outcome: Outcome) => void = () => undefined;
  const consumer = closing.consume('default', OPTIONS, { handle: () => new Promise((resolve) => (end = resolve)) });
  const [receipt] = await closing.enqueue([callOf()]);
  const id = receipt?.id as string;
  await settled();
  const stopped = consumer.stop(0);
  await jest.advanceTimersByTimeAsync(2_000);
  await stopped;
  expect(await other.find(id)).toMatchObject({ state: 'retrying' });
  other.consume('default', OPTIONS, { handle: async ({ abandoned }) => ({ kind: 'succeeded', result: abandoned }) });
  await settled();
  end({ kind: 'succeeded', result: 'too late' });
  await settled();
  expect(await other.find(id)).toMatchObject({ state: 'succeeded', result: 1 });
  jest.useRealTimers();
  await Promise.all([closing.close(), other.close()]);
});

it('a handler that gives no outcome makes its task fail, and not run for ever', async () => {
  jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  consume(() => Promise.reject(new Error('no outcome')));
  const id = await enqueue();
  await settled();
  expect(await engine.find(id)).toMatchObject({ state: 'failed', error: { message: 'no outcome' } });
  expect(delivered).toHaveLength(1);
});

it('a queue of short tasks lets other work in between', async () => {
  const started: number[] = [];
  consume(() => {
    started.push(started.length);
    return succeed();
  });
  await engine.enqueue(Array.from({ length: 100 }, () => callOf()));
  let turns = 0;
  while (started.length < 100) {
    await turn();
    turns++;
  }
  expect(turns).toBeGreaterThan(5);
});
