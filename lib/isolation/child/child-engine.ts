import type { Engine } from '../../engine/engine.js';
import type { Following, ScheduleStore } from '../../engine/ports/schedule-store.js';
import type { ChangeListener, WatchOptions } from '../../engine/ports/query-port.js';
import type { TransactionAdapter, TransactionEnqueue } from '../../engine/ports/transaction-port.js';
import type { Consumer } from '../../engine/ports/worker-port.js';
import type { WorkerRegistry } from '../../engine/ports/worker-registry.js';
import type { StatisticsPort } from '../../engine/ports/statistics-port.js';
import { DEFAULT_SHARD } from '../../engine/shards/topology.js';
import { standIn } from '../../engine/stand-in.js';
import { ConfigurationError } from '../../errors.js';
import { SERVED_PORTS, TRANSACTION_METHODS, type PortName } from '../served-ports.js';
import type { ParentConnection } from './parent-connection.js';

/** The methods of the engine itself that the parent answers. */
type Asked = Pick<Engine, (typeof SERVED_PORTS)['engine'][number]>;

/**
 * The engine of a child process. It opens no connection: the parent process does everything with its own engine, which therefore may be
 * one that a single process alone can open. Tasks and schedules run in the parent, and listeners hear there of what this process stores.
 */
export type ChildEngine = Engine;

export function createChildEngine(parent: ParentConnection): ChildEngine {
  const asked = remote<Asked>(parent, 'engine', SERVED_PORTS.engine);
  return {
    ...asked,
    // The parent knows the shards, and sends each call to the right one.
    shards: [{ name: DEFAULT_SHARD, ping: () => asked.ping() }],
    missingShards: () => [],
    schedules: { ...remote<ScheduleStore>(parent, 'schedules', SERVED_PORTS.schedules), follow: followNothing },
    statistics: { ...remote<StatisticsPort>(parent, 'statistics', SERVED_PORTS.statistics), merge: doNothing },
    snapshots: remote<Engine['snapshots']>(parent, 'snapshots', SERVED_PORTS.snapshots),
    workers: {
      ...remote<WorkerRegistry>(parent, 'workers', SERVED_PORTS.workers),
      publish: doNothing,
      withdraw: doNothing,
      follow: () => ignore,
    },
    lists: remote<Engine['lists']>(parent, 'lists', SERVED_PORTS.lists),
    control: {
      ...remote<Engine['control']>(parent, 'control', SERVED_PORTS.control),
      declareGlobalConcurrency: doNothing,
    },
    // The parent takes the place of a run before it sends the run to its child.
    places: { take: async () => ({ giveBack: ignore }) },
    start: doNothing,
    close: doNothing,
    now: () => Date.now() + parent.clockOffset,
    watch: (id: string, listener: ChangeListener, options: WatchOptions) => parent.watch(id, listener, options),
    enqueueIn: (transaction: TransactionAdapter) =>
      parent.dialects.includes(transaction.dialect) ? enqueueIn(parent, transaction) : undefined,
    onTaskChange: () => ignore,
    serveRequests: ignore,
    consume: (): Consumer => {
      throw new Error('A child process for isolated tasks takes no tasks from queues.');
    },
    native: refuseNative,
  };
}

/** A port whose methods are those of the parent. */
function remote<P extends object>(parent: ParentConnection, port: PortName, methods: readonly string[]): P {
  const entries = methods.map((method) => [method, (...args: unknown[]) => parent.call(port, method, args)]);
  return Object.fromEntries(entries) as P;
}

function enqueueIn(parent: ParentConnection, transaction: TransactionAdapter): TransactionEnqueue {
  const entries = TRANSACTION_METHODS.map((method) => [
    method,
    (...args: unknown[]) => parent.callIn(transaction, (sent) => parent.call('transaction', method, [sent, ...args])),
  ]);
  return Object.fromEntries(entries) as TransactionEnqueue;
}

/** No schedule runs here. */
function followNothing(): Following {
  return { started: Promise.resolve(), stop: ignore };
}

/** Stands for a queue of BullMQ. The error comes when the task uses the queue. */
function refuseNative(queue: string): unknown {
  return standIn(() => {
    throw new ConfigurationError(
      `The queue "${queue}" of BullMQ cannot be used in an isolated task, because its child process has no connection to the store. ` +
        'Use TaskQueue, the producers or TaskAdmin there.',
    );
  });
}

async function doNothing(): Promise<void> {}

function ignore(): void {}
