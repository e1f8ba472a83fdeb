import type { Duration } from './duration.js';
import type { ConnectionOption } from './engine/connection.js';
import type { HttpOptions } from './http/http-options.js';
import type { IsolationOptions } from './isolation/isolation-options.js';
import type { ShardOptions } from './shard-options.js';
import type { SharedTaskOptions } from './tasks/task-options.js';
import type { OutboxOptions } from './transactions/outbox/outbox-options.js';
import type { TransactionLike } from './transactions/transaction-adapter.js';

/**
 * The role of a process:
 *
 * - `both`: the process enqueues tasks and runs them.
 * - `producer`: the process enqueues tasks and waits for them, but runs none.
 * - `worker`: the process runs tasks, and may enqueue them too. It serves no status over HTTP, unless the option `http` is set.
 */
export type Role = 'both' | 'producer' | 'worker';

/** The options of one queue. */
export interface QueueOptions {
  /** How many tasks of the queue one process runs at the same time: a whole number, at least 1. Default: 10. */
  readonly concurrency?: number;
  /**
   * How many tasks of the queue run at the same time in all processes together: a whole number, at least 1. The number of the worker
   * that started last applies, unless `TaskAdmin.setGlobalConcurrency()` has set another one. A process that dies gives its places
   * back after `abandonedAfter`. In a queue with batches it counts the runs of the method. Default: no limit.
   */
  readonly globalConcurrency?: number;
  /**
   * Starts at most `max` tasks in each period `per`. The limit applies to all workers of the queue together. Default:
   * no limit.
   */
  readonly rateLimit?: { readonly max: number; readonly per: Duration };
  /**
   * The most tasks that wait in the queue: queued, scheduled and retrying ones, of all processes. Enqueueing more throws
   * `QueueFullError` and stores nothing of the call. A whole number, at least 1. Default: no limit.
   *
   * A process counts the tasks once a second, or once it has used up a tenth of the room, so several processes may exceed the
   * limit together by what they store between two counts. Retries, callbacks, later steps of workflows, and the repetition of a call
   * that is stored already are never refused. A tick of a schedule is left out, with `QUEUE_FULL` as the reason in `lastSkip`.
   */
  readonly maxQueued?: number;
  /** Whether tasks of the queue may have a `priority`. Sorting costs a little with every task. Default: `false`. */
  readonly priorities?: boolean;
  /** The shard in which the queue is: a name of the option `shards`. Default: `'default'`, the place that `connection` names. */
  readonly shard?: string;
}

/** Which kinds of the application's own enhancers run around tasks. Default of each: `true`. */
export interface GlobalEnhancers {
  readonly guards?: boolean;
  readonly interceptors?: boolean;
  readonly pipes?: boolean;
  readonly filters?: boolean;
}

/**
 * The options of `TaskQueueModule.forRoot()`. Every option has a default. A wrong value makes the start of the
 * application fail with a `ConfigurationError` that names the option. Options take precedence over environment
 * variables.
 */
export interface TaskQueueOptions {
  /**
   * The server or the database in which tasks are stored:
   *
   * - a URL, as text or as a `URL`: `redis://`, `rediss://` (with TLS), `postgres://` or `postgresql://`
   * - `pglite:<folder>`: the embedded engine, on disk. The folder is relative to the working directory.
   * - `pglite:`: the embedded engine, in memory
   * - `memory:`: an engine in plain JavaScript that stores nothing, for tests. `memory:<name>` is shared by all
   *   applications of the process that use the name. Applications cannot inject BullMQ's own queues there.
   * - the options of ioredis, of its `Cluster`, or of `pg.Pool`
   * - an ioredis client or a pg pool of the application, which this package never closes
   *
   * Default: the environment variable `TASK_QUEUE_URL`, else `pglite:.task-queue`; under Jest, Vitest and Node's test
   * runner, `memory:`; under `NODE_ENV=test` without one of them, `pglite:`.
   *
   * @example 'redis://:password@localhost:6379/0'
   */
  readonly connection?: ConnectionOption;
  /**
   * The namespace of all stored data: the prefix of the keys on Redis, the schema on PostgreSQL and in the embedded
   * engine. Applications with different prefixes share nothing. Default: `TASK_QUEUE_PREFIX`, else `tasks`.
   */
  readonly prefix?: string;
  /**
   * Whether this process may create and change the tables in PostgreSQL when it starts:
   *
   * - `'auto'`: it creates and updates them, if its role may.
   * - `'check'`: it only checks them. When they are missing or too old, the start fails with a `ConfigurationError` that
   *   names the command of the deploy: `npx nestjs-task-queue migrate`.
   *
   * The other engines have no tables of a server, so the option means nothing there. Default: `TASK_QUEUE_MIGRATIONS`, else `'auto'`.
   */
  readonly migrations?: 'auto' | 'check';
  /**
   * Further places for tasks, by name: queues may be on several servers, or spread over the nodes of a Redis Cluster. A queue names
   * its shard with `queues: { <queue>: { shard } }`; the others are in the default shard, the place that `connection` names. All
   * processes need the same shards. A workflow stays within one shard. Default: none.
   *
   * @example { shards: { media: { connection: 'redis://second' } }, queues: { thumbnails: { shard: 'media' } } }
   */
  readonly shards?: Readonly<Record<string, ShardOptions>>;
  /** What this process does. Default: `TASK_QUEUE_ROLE`, else `both`. */
  readonly role?: Role;
  /** The options of queues, by name. A queue that is missing here has the defaults. */
  readonly queues?: Readonly<Record<string, QueueOptions>>;
  /**
   * The queues whose tasks this process runs: a list of names, or `'*'` for all queues that have a task in this
   * process. Default: `TASK_QUEUE_CONSUME` (names separated by commas), else `'*'`.
   */
  readonly consume?: '*' | readonly string[];
  /**
   * The database of the application's transactions, for `.in(tx)` where tasks are stored elsewhere: in Redis, in an embedded
   * folder, or in another PostgreSQL database. A call in a transaction is stored in the table `task_outbox` of that database,
   * and the processes with this option move it to the tasks after the commit. `npx nestjs-task-queue outbox` prints the
   * statements that create it. Default: none.
   *
   * @example outbox: { connection: 'postgres://app:password@localhost:5432/shop' }
   */
  readonly outbox?: OutboxOptions;
  /**
   * The child processes that run tasks with the option `isolate`. Each boots the same application, without HTTP, and with the variable
   * `TASK_QUEUE_ISOLATED` in its environment. `false`: such tasks run in this process as any other, for debugging. The guide is
   * docs/isolation.md. Default: two processes for the tasks, and an application only in the worker command.
   *
   * @example isolation: { app: new URL('./app.module.js', import.meta.url), export: 'AppModule', processes: 2, maxTasks: 100 }
   */
  readonly isolation?: false | IsolationOptions;
  /** The options of every task that does not set them itself. Default: none. */
  readonly defaults?: SharedTaskOptions;
  /**
   * How long the record of a final task is kept: `ttl` for a succeeded task, `failedTtl` for any other final state.
   * Default: `{ ttl: '1d', failedTtl: '7d' }`.
   */
  readonly results?: { readonly ttl?: Duration; readonly failedTtl?: Duration };
  /**
   * `keep` is how many lines of `TaskContext.log()` are kept of each task: the last ones. A whole number from 1 to 100,000.
   * Default: `{ keep: 1_000 }`.
   */
  readonly logs?: { readonly keep?: number };
  /**
   * Statistics of tasks, for `TaskAdmin.stats()`: `keep` is the time for which they are kept, at least `'1h'`. `false`: this process
   * counts nothing. Default: `{ keep: '7d' }`.
   */
  readonly stats?: false | { readonly keep?: Duration };
  /** The options of the HTTP endpoint that serves tasks, or `false` for no endpoint. Default: `{ path: 'tasks' }`. */
  readonly http?: false | HttpOptions;
  /**
   * Whether the guards, pipes, interceptors and filters of the whole application (`APP_GUARD` and its like,
   * `useGlobalGuards()` and its like) run around tasks too, as they run around routes. Many of them are written for
   * HTTP: then set `global: false`, or leave out single kinds. Enhancers that decorators bind to a task or its class
   * always run. Default: `{ global: true }`.
   *
   * @example enhancers: { global: { guards: false } } // interceptors, pipes and filters run
   */
  readonly enhancers?: { readonly global?: boolean | GlobalEnhancers };
  /** The most bytes of JSON for the arguments of a task, its result, and a progress report, each. Default: 1 MiB. */
  readonly maxPayload?: number;
  /** A call that cannot reach the engine fails with `EngineUnavailableError` after this time. Default: `'5s'`. */
  readonly enqueueTimeout?: Duration;
  /**
   * A worker that gives no sign of life for this time counts as dead, and its tasks run again elsewhere. It must be
   * longer than the event loop of a worker is ever blocked, and at least 1 s. Default: `'30s'`.
   */
  readonly abandonedAfter?: Duration;
  /**
   * `grace` is the time for which running tasks may go on after the application begins to close. Then their signals are
   * aborted, and the tasks run again elsewhere; a task with the delivery `at-most-once` fails instead. Default:
   * `{ grace: '30s' }`; in tests (`NODE_ENV=test`, or a test runner) `{ grace: '1s' }`.
   */
  readonly shutdown?: { readonly grace?: Duration };
  /**
   * The name of this application, in log lines and for its decorated schedules: applications with different names that share
   * a queue leave each other's schedules alone, and versions of one application replace each other's. Default:
   * `TASK_QUEUE_APPLICATION`, else the `name` in the package.json of the working directory or of the nearest folder above it.
   */
  readonly application?: string;
  /**
   * Returns the transaction that is open where it is called, or `undefined`. Every call of a producer or signature then joins
   * that transaction as with `.in(transaction)`, unless it is made with `.outside()`. What this package enqueues itself joins
   * none: ticks of schedules, later steps of workflows, retries. Default: no call joins a transaction by itself.
   *
   * @example transaction: () => TransactionHost.getInstance().isTransactionActive() ? TransactionHost.getInstance().tx : undefined
   */
  readonly transaction?: () => TransactionLike | undefined;
}
