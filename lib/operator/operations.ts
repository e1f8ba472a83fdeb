import type { ActOptions } from '../admin/act-options.js';
import type { ErrorGroups, ErrorsOptions } from '../admin/error-groups.js';
import type { TaskDetails } from '../admin/task-details.js';
import type { QueueInfo } from '../admin/queue-overview.js';
import type { TaskFilter } from '../admin/task-filter.js';
import type { PageOptions } from '../admin/task-lists.js';
import type { LogOptions, TaskLogLine } from '../admin/task-log-reader.js';
import type { TaskPage } from '../admin/task-page.js';
import type { ShardInfo } from '../admin/shard-info.js';
import type { Engine } from '../engine/engine.js';
import { findForeignWorkers } from '../engine/foreign-workers.js';
import type { Finding } from '../engine/ports/diagnosis-port.js';
import type { TaskAdmin } from '../admin/task-admin.js';
import type { ShutdownOptions } from '../admin/worker-shutdown.js';
import type { WorkerInfo } from '../admin/worker-info.js';
import type { Json } from '../engine/json.js';
import { TaskNotFoundError } from '../errors.js';
import { callOfTask, type CallOfTask } from './call-of-task.js';
import { queueOfTask, refuseUnknownShard } from './queue-of-task.js';
import type { CallChange } from '../producers/call-change.js';
import type { TaskHandle } from '../results/task-handle.js';
import type { TaskQueue } from '../producers/task-queue.js';
import type { EnqueueOptions } from '../tasks/task-options.js';
import type { TaskStatus } from '../results/task-status.js';
import type { TaskResults } from '../results/task-results.js';
import { toStatus } from '../results/task-status.js';
import type { ScheduleStatus } from '../schedules/schedule-status.js';
import type { TaskSchedules } from '../schedules/task-schedules.js';

/** The parts of the application that operations use. */
export interface OperationDeps {
  readonly engine: Pick<Engine, 'diagnose' | 'find' | 'foreignWorkers' | 'shards' | 'workers' | 'now'>;
  readonly admin: TaskAdmin;
  readonly schedules: TaskSchedules;
  readonly taskQueue: TaskQueue;
  readonly results: TaskResults;
}

/** A call that `enqueue` stores. */
export interface CallToEnqueue {
  readonly name: string;
  readonly args: readonly Json[];
  readonly options: Pick<EnqueueOptions, 'delay' | 'queue' | 'priority' | 'headers'>;
}

/**
 * What an operator may do with a store: everything that the command line asks for. Arguments and results are JSON, so that
 * an operation can also be asked of another process, the one that has opened an embedded folder.
 */
export const OPERATIONS = {
  /** The time of the store, in milliseconds since 1970: the clock of the operator's computer may be wrong. */
  now: async ({ engine }): Promise<number> => engine.now(),

  queues: ({ admin }): Promise<QueueInfo[]> => admin.queues(),

  workers: ({ admin }): Promise<WorkerInfo[]> => admin.workers(),

  shards: ({ admin }): Promise<ShardInfo[]> => admin.shards(),

  tasks: ({ admin }, filter: TaskFilter, page: PageOptions): Promise<TaskPage> => admin.tasks(filter, page),

  /** A task with all that is stored of it, and why it does not start. */
  task: async ({ admin, results }, id: string): Promise<TaskDetails> => {
    const details = await admin.task(id);
    const record = details.state === 'queued' ? await results.find(id) : undefined;
    if (!record) return details;
    const { blockedBy, position, estimatedStart } = toStatus(await results.withBlock(record));
    return { ...details, blockedBy, position, estimatedStart };
  },

  /** The call with which a task failed. */
  callOf: async ({ admin, engine }, id: string): Promise<CallOfTask> => callOfTask(await admin.task(id), engine),

  errors: ({ admin }, options: ErrorsOptions): Promise<ErrorGroups> => admin.errors(options),

  logs: ({ admin }, id: string, options: LogOptions): Promise<TaskLogLine[]> => admin.logs(id, options),

  diagnose: async ({ engine }): Promise<Finding[]> => [
    ...(await engine.diagnose()),
    // A role that lacks a right may still be told which one.
    ...(await findForeignWorkers(engine).catch(() => [])),
  ],

  schedules: ({ schedules }): Promise<ScheduleStatus[]> => schedules.list(),

  status: async ({ results }, id: string): Promise<TaskStatus | null> => {
    const record = await results.find(id);
    return record ? toStatus(record) : null;
  },

  /** Waits for the end of a task, but not longer than `timeout` milliseconds. */
  untilFinal: async ({ results }, id: string, timeout: number): Promise<TaskStatus> => {
    const record = await results.untilFinal(id, { timeout });
    if (!record) throw new TaskNotFoundError(id);
    return toStatus(record);
  },

  retry: ({ admin }, id: string, act: ActOptions): Promise<TaskStatus> => admin.retry(id, act),

  cancel: ({ admin }, id: string, act: ActOptions): Promise<TaskStatus> => admin.cancel(id, act),

  forget: ({ admin }, id: string, act: ActOptions): Promise<boolean> => admin.forget(id, act),

  promote: ({ admin }, id: string, act: ActOptions): Promise<TaskStatus> => admin.promote(id, act),

  update: ({ admin }, id: string, change: CallChange, act: ActOptions): Promise<TaskStatus> =>
    admin.update(id, change, act),

  /** Stores an act on many tasks. */
  actOnAll: async (
    { admin },
    name: 'retryAll' | 'cancelAll' | 'forgetAll',
    filter: TaskFilter,
    options: ActOptions & { readonly rate?: number },
  ): Promise<StoredAct> => storedAct(admin, await admin[name](filter, options)),

  purge: async ({ admin }, queue: string, act: ActOptions): Promise<StoredAct> =>
    storedAct(admin, await admin.purge(queue, act)),

  shutdown: ({ admin }, worker: string, options: ShutdownOptions): Promise<void> => admin.shutdown(worker, options),

  pause: ({ admin }, queue: string, act: ActOptions): Promise<void> => admin.pause(queue, act),

  resume: ({ admin }, queue: string, act: ActOptions): Promise<void> => admin.resume(queue, act),

  /** Stores a call. Without a queue, it is that for which live workers declare the task. */
  enqueue: async ({ admin, engine, taskQueue }, { name, args, options }: CallToEnqueue) => {
    const queue = options.queue ?? queueOfTask(name, await admin.queues());
    await refuseUnknownShard(queue, engine);
    const producer = taskQueue.of(name).with({ ...options, queue });
    const { id, deduplicated, initialState } = await producer.enqueue(...args);
    return { id, name, queue, deduplicated, state: initialState ?? 'queued' };
  },
} satisfies Record<string, (deps: OperationDeps, ...args: never[]) => Promise<unknown>>;

/** An act on many tasks, which a worker performs. */
export interface StoredAct {
  readonly id: string;
  /** The number of live workers. */
  readonly workers: number;
}

async function storedAct(admin: TaskAdmin, { id }: TaskHandle): Promise<StoredAct> {
  const workers = await admin.workers();
  return { id, workers: workers.filter(({ state }) => state === 'alive').length };
}

type Operations = typeof OPERATIONS;

/** The name of an operation. */
export type OperationName = keyof Operations;

/** Runs operations, in this process or in another one. */
export type Operator = {
  readonly [N in OperationName]: Operations[N] extends (deps: OperationDeps, ...args: infer A) => infer R
    ? (...args: A) => R
    : never;
};

/** An operator for the store of this application. */
export function localOperator(deps: OperationDeps): Operator {
  return operatorOf((name, args) => run(name, deps, args));
}

/** An operator whose operations are run by `send`. */
export function operatorOf(send: (name: OperationName, args: readonly unknown[]) => Promise<unknown>): Operator {
  const names = Object.keys(OPERATIONS) as OperationName[];
  return Object.fromEntries(
    names.map((name) => [name, (...args: readonly unknown[]) => send(name, args)]),
  ) as unknown as Operator;
}

/** Whether there is an operation of this name. */
export function isOperation(name: unknown): name is OperationName {
  return typeof name === 'string' && Object.hasOwn(OPERATIONS, name);
}

async function run(name: OperationName, deps: OperationDeps, args: readonly unknown[]): Promise<unknown> {
  const operation = OPERATIONS[name] as (deps: OperationDeps, ...args: readonly unknown[]) => Promise<unknown>;
  return operation(deps, ...args);
}
