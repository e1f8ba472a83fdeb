import type { Type } from '@nestjs/common';
import { LimitedEnqueue } from '../engine/limited-enqueue.js';
import { MemoryEngine } from '../engine/memory/memory-engine.js';
import { ONE_SHARD } from '../engine/shards/topology.js';
import type { TaskProducer } from '../producers/task-producer.js';
import { TaskQueue } from '../producers/task-queue.js';
import type { Tasks } from '../producers/tasks.js';
import { TaskResults } from '../results/task-results.js';
import { isContract, type TaskContract } from '../tasks/task-contract.js';
import { CallStores } from '../transactions/call-stores.js';
import { WorkflowStarter } from '../workflows/workflow-starter.js';
import { toEnqueuedTask, type EnqueuedTask } from './enqueued-task.js';

/** Producers that store calls in memory, each with the tasks that were enqueued. */
export type FakeProducers<T> = { readonly [K in keyof Tasks<T>]: Tasks<T>[K] & { readonly enqueued: EnqueuedTask[] } };

const DAY = 24 * 60 * 60 * 1000;
/** As the defaults of `TaskQueueModule`. */
const MAX_PAYLOAD = 1024 * 1024;

/** Producers without an application. */
export function fakeProducers(source: Type | TaskContract): unknown {
  const engine = new MemoryEngine({ retention: { ttl: DAY, failedTtl: 7 * DAY } });
  const results = new TaskResults(engine);
  const limited = new LimitedEnqueue({ engine, maxQueued: () => undefined });
  const stores = new CallStores({
    engine,
    direct: limited,
    through: (store) => limited.through(store),
    current: () => undefined,
    // A unit test may pass anything as the transaction.
    adapt: () => ({ dialect: 'postgres', query: async () => [] }),
  });
  const shared = {
    stores,
    results,
    maxPayload: MAX_PAYLOAD,
    hasRateLimit: () => false,
    topology: ONE_SHARD,
    currentHeaders: () => ({}),
  };
  const starter = new WorkflowStarter({ ...shared, definitionOf: () => undefined });
  const queue = new TaskQueue({ ...shared, starter, hasPriorities: () => true }, {}, () => undefined);
  const withEnqueued = (producer: TaskProducer) =>
    Object.defineProperty(producer, 'enqueued', {
      get: () =>
        [...engine.place.store.all()]
          .filter(({ name }) => name === producer.name)
          .map((task) => toEnqueuedTask(task, engine.now())),
    });
  if (isContract(source)) return withEnqueued(queue.of(source));
  const producers = queue.of(source as Type<object>);
  for (const producer of Object.values(producers)) withEnqueued(producer as TaskProducer);
  return producers;
}
