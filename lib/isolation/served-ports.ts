import type { Engine } from '../engine/engine.js';

/**
 * The methods of an engine that a child process calls in its parent: those that ask and answer. The others have no place in a child, or
 * take functions and so have messages of their own.
 */
export const SERVED_PORTS = {
  engine: [
    ...(['enqueue', 'enqueueTree', 'isStored', 'find', 'countEndedMembers', 'readLog', 'attempts', 'blockOf'] as const),
    ...([
      'cancel',
      'retry',
      'promote',
      'update',
      'discard',
      'forget',
      'failWhole',
      'retryLeftBehind',
      'ping',
      'diagnose',
      'foreignWorkers',
    ] as const),
  ],
  schedules: ['get', 'set', 'delete', 'scan', 'secret', 'announce'],
  statistics: ['read'],
  snapshots: ['get', 'set'],
  workers: ['list', 'requestShutdown', 'shutdownRequest'],
  lists: ['queueNames', 'list', 'figures', 'countQueued', 'details'],
  control: ['settings', 'pause', 'resume', 'setGlobalConcurrency', 'setRateLimit'],
} as const satisfies { readonly engine: readonly (keyof Engine)[] } & {
  readonly [P in SubPort]: readonly (keyof Engine[P])[];
};

type SubPort = 'schedules' | 'statistics' | 'snapshots' | 'workers' | 'lists' | 'control';

/** A port of {@link SERVED_PORTS}, the delivery that runs, or a transaction of the child. */
export type PortName = keyof typeof SERVED_PORTS | 'delivery' | 'transaction';

/** The methods of the delivery that runs. */
export const DELIVERY_METHODS = ['progress', 'log', 'completeIn', 'beginWait', 'failureOfWait', 'endWait'] as const;

/** The methods of storing in a transaction. */
export const TRANSACTION_METHODS = ['enqueue', 'enqueueTree', 'isStored', 'isOpen'] as const;
