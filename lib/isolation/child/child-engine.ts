import type { Engine } from '../../engine/engine.js';
import type { Following } from '../../engine/ports/schedule-store.js';
import type { ChangeListener, WatchOptions } from '../../engine/ports/query-port.js';
import type { TransactionAdapter, TransactionEnqueue } from '../../engine/ports/transaction-port.js';
import type { Consumer } from '../../engine/ports/worker-port.js';
import { DEFAULT_SHARD } from '../../engine/shards/topology.js';
import { standIn } from '../../engine/stand-in.js';
import { ConfigurationError } from '../../errors.js';
import { fromSentAnswer } from '../sent-answers.js';
import { SERVED_PORTS, TRANSACTION_METHODS, type PortName } from '../served-ports.js';
import type { ParentConnection } from './parent-connection.js';

/**
 * The engine of a child process. It opens no connection: the parent process does everything with its own engine, which therefore may be
 * one that a single process alone can open. Tasks and schedules run in the parent, and listeners hear there of what this process stores.
 */
export type ChildEngine = Engine;

export function createChildEngine(parent: ParentConnection): ChildEngine {
  const asked = remote<Engine, (typeof SERVED_PORTS)['engine'][number]>(parent, 'engine', SERVED_PORTS.engine);
  return {
    ...asked,
    // The parent knows the shards, and sends each call to the right one.
    shards: [{ name: DEFAULT_SHARD, ping: () => asked.ping() }],
    missingShards: () => [],
    schedules: { ...portOf(parent, 'schedules'), follow: followNothing },
    statistics: { ...portOf(parent, 'statistics'), merge: doNothing },
    snapshots: portOf(parent, 'snapshots'),
    workers: {
      ...portOf(parent, 'workers'),
      publish: doNothing,
      withdraw: doNothing,
      follow: () => ignore,
    },
    lists: portOf(parent, 'lists'),
    control: {
      ...portOf(parent, 'control'),
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

/** The methods of a port that are those of the parent. The compiler finds a method of the port that is missing in {@link SERVED_PORTS}. */
function portOf<P extends Exclude<keyof typeof SERVED_PORTS, 'engine'>>(
  parent: ParentConnection,
  port: P,
): Pick<Engine[P], (typeof SERVED_PORTS)[P][number] & keyof Engine[P]> {
  return remote(parent, port, SERVED_PORTS[port] as readonly string[] as never);
}

function remote<P extends object, M extends string & keyof P>(
  parent: ParentConnection,
  port: PortName,
  methods: readonly M[],
): Pick<P, M> {
  const entries = methods.map((method) => [
    method,
    async (...args: unknown[]) => fromSentAnswer(port, method, await parent.call(port, method, args)),
  ]);
  return Object.fromEntries(entries) as Pick<P, M>;
}

function enqueueIn(parent: ParentConnection, transaction: TransactionAdapter): TransactionEnqueue {
  const entries = TRANSACTION_METHODS.map((method) => [
    method,
    (...args: unknown[]) => parent.callIn(transaction, (sent) => parent.call('transaction', method, [sent, ...args])),
  ]);
  return Object.fromEntries(entries) as Pick<TransactionEnqueue, (typeof TRANSACTION_METHODS)[number]>;
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
