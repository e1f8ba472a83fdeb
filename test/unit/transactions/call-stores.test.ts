import { describe, expect, test } from '@jest/globals';
import { LimitedEnqueue } from '../../../lib/engine/limited-enqueue.js';
import type { TransactionEnqueue } from '../../../lib/engine/ports/transaction-port.js';
import type { TaskCall } from '../../../lib/engine/task.js';
import { ConfigurationError } from '../../../lib/errors.js';
import { TaskQueue } from '../../../lib/producers/task-queue.js';
import { TaskResults } from '../../../lib/results/task-results.js';
import { CallStores } from '../../../lib/transactions/call-stores.js';
import { chain } from '../../../lib/workflows/chain-group-chord.js';
import { WorkflowStarter } from '../../../lib/workflows/workflow-starter.js';
import { FakeEngine } from '../../support/fake-engine.js';
import { ONE_SHARD } from '../../../lib/engine/shards/topology.js';

/** Producers of an application. `stored` has for each call the name of the transaction in which it was stored. */
function application({ hasOutbox = true, refuses = false }: { hasOutbox?: boolean; refuses?: boolean } = {}) {
  const engine = new FakeEngine();
  const stored: string[] = [];
  let current: object | undefined;
  const record = (place: string, calls: readonly TaskCall[]) =>
    calls.map(({ id }) => {
      stored.push(place);
      return { id, deduplicated: false, state: 'queued' as const };
    });
  engine.enqueue = async (calls) => record('none', calls);
  engine.enqueueTree = async (tree) => record('none', [tree])[0]!;
  const outbox = (open: object): TransactionEnqueue => ({
    enqueue: async (calls) => record((open as { name: string }).name, calls),
    enqueueTree: async (tree) => record((open as { name: string }).name, [tree])[0]!,
    isStored: async () => false,
    isOpen: async () => false,
  });
  const limited = new LimitedEnqueue({ engine, maxQueued: () => undefined });
  const stores = new CallStores({
    engine,
    direct: limited,
    through: (store) => limited.through(store),
    outbox: hasOutbox ? (open) => (refuses ? undefined : outbox(open)) : undefined,
    current: () => current,
  });
  const shared = {
    stores,
    results: new TaskResults(engine),
    maxPayload: 1_000,
    hasRateLimit: () => false,
    topology: ONE_SHARD,
    currentHeaders: () => ({}),
  };
  const starter = new WorkflowStarter({ ...shared, definitionOf: () => undefined });
  const queue = new TaskQueue({ ...shared, starter, hasPriorities: () => false }, {}, () => undefined);
  return {
    task: queue.of('mail') as never as ReturnType<typeof queue.of<(to: number) => number>>,
    stored,
    open: (name: string) => (current = transaction(name)),
  };
}

function transaction(name: string) {
  return { name, dialect: 'postgres' as const, query: async () => [] };
}

describe('CallStores', () => {
  test('a producer and a signature store in their transaction, copies of them too', async () => {
    const { task, stored } = application();
    await task.in(transaction('a')).enqueue(1);
    await task
      .in(transaction('b'))
      .with({ retries: 1 })
      .enqueueMany([[1], [2]]);
    await task.signature(1).in(transaction('c')).enqueue();
    await task.signature(1).in(transaction('d')).immutable().onSuccess(task.signature()).enqueue();
    await chain(task.signature(1), task.signature()).in(transaction('e')).with({ delay: 5 }).enqueue();
    await chain(task.signature(1), task.in(transaction('f')).signature()).enqueue();
    await task.enqueue(1);
    expect(stored).toEqual(['a', 'b', 'b', 'c', 'd', 'e', 'f', 'none']);
  });

  test('calls join the open transaction, but for those that name another or are outside', async () => {
    const { task, stored, open } = application();
    open('ambient');
    await task.enqueue(1);
    await task.signature(1).enqueue();
    await chain(task.signature(1), task.signature()).enqueue();
    await task.in(transaction('named')).enqueue(1);
    await task.outside().enqueue(1);
    await task.outside().signature(1).enqueue();
    await chain(task.signature(1), task.signature()).outside().enqueue();
    expect(stored).toEqual(['ambient', 'ambient', 'ambient', 'named', 'none', 'none', 'none']);
  });

  test('without an outbox, an engine that needs one refuses the call', async () => {
    const { task } = application({ hasOutbox: false });
    await expect(task.in(transaction('a')).enqueue(1)).rejects.toThrow(ConfigurationError);
    await expect(task.in(transaction('a')).enqueue(1)).rejects.toThrow('outbox: { connection }');
  });

  test('a wrong transaction is refused when a call is made', async () => {
    const { task } = application();
    const wrong = task.in(new (class Database {})());
    await expect(wrong.enqueue(1)).rejects.toThrow('an object of the class Database');
    await expect(task.signature(1).in({}).enqueue()).rejects.toThrow(ConfigurationError);
  });
});

test('an outbox in another kind of database refuses the transaction, and the error says what to pass', async () => {
  const { task, stored } = application({ refuses: true });
  const call = task.in(transaction('tx')).enqueue(1);
  await expect(call).rejects.toThrow(ConfigurationError);
  await expect(call).rejects.toThrow(/got a transaction of PostgreSQL.*outbox\.connection/);
  expect(stored).toEqual([]);
});
