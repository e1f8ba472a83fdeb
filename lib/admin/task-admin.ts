import type { Duration } from '../duration.js';
import type { Engine } from '../engine/engine.js';
import type { RateLimit } from '../engine/ports/control-port.js';
import type { Topology } from '../engine/shards/topology.js';
import type { ActOptions } from './act-options.js';
import type { ShutdownOptions, WorkerShutdown } from './worker-shutdown.js';
import type { BulkActs } from './bulk/bulk-acts.js';
import type { BulkResult } from './bulk/bulk-tally.js';
import type { QueueSettingsAdmin } from './queue-settings.js';
import type { SingleTaskActs } from './single-task-acts.js';
import { TaskLogReader, type FollowLogOptions, type LogOptions, type TaskLogLine } from './task-log-reader.js';
import { readErrors, type ErrorGroups, type ErrorsOptions } from './error-groups.js';
import { QueueOverview, type QueueInfo } from './queue-overview.js';
import { readShards, type ShardInfo } from './shard-info.js';
import { readDetails, type TaskDetails } from './task-details.js';
import type { TaskFilter } from './task-filter.js';
import { TaskLists, type PageOptions } from './task-lists.js';
import { toPage, type TaskPage } from './task-page.js';
import type { CallChange } from '../producers/call-change.js';
import type { OutboxFigures } from '../transactions/outbox/outbox-figures.js';
import type { TaskHandle } from '../results/task-handle.js';
import type { TaskStatus } from '../results/task-status.js';
import { TaskStatistics } from './task-statistics.js';
import type { StatsOptions, TaskStats } from './task-stats.js';
import type { StatsByOptions, StatsGroup } from './statistics-groups.js';
import { readWorkflow, type WorkflowGraph } from './workflow-graph.js';
import { toWorkerInfo, type WorkerInfo } from './worker-info.js';

export interface TaskAdminDeps {
  readonly engine: Pick<
    Engine,
    | 'workers'
    | 'now'
    | 'find'
    | 'readLog'
    | 'attempts'
    | 'lists'
    | 'control'
    | 'countEndedMembers'
    | 'statistics'
    | 'shards'
    | 'missingShards'
  >;
  readonly topology: Topology;
  readonly settings: QueueSettingsAdmin;
  readonly single: SingleTaskActs;
  readonly bulk: BulkActs;
  readonly workerShutdown: WorkerShutdown;
  /** The rate limit that this process declares for a queue. */
  readonly declaredLimit: (queue: string) => RateLimit | undefined;
  /** What waits in the outbox; `undefined` when this process has none. */
  readonly outbox: () => Promise<OutboxFigures | undefined>;
}

/**
 * Shows and controls everything that is stored: queues, tasks and workers of all processes that share the store. For pages and
 * commands of administrators; callers of a single task use its handle.
 *
 * Inject it anywhere. Every method works the same on every engine, and throws `EngineUnavailableError` when the engine cannot be
 * reached.
 *
 * @example
 * ```ts
 * constructor(private readonly admin: TaskAdmin) {}
 *
 * async findLostWorkers(): Promise<WorkerInfo[]> {
 *   return (await this.admin.workers()).filter(({ state }) => state === 'lost');
 * }
 * ```
 */
export class TaskAdmin {
  readonly #logs: TaskLogReader;
  readonly #lists: TaskLists;
  readonly #queues: QueueOverview;
  readonly #statistics: TaskStatistics;

  /** @internal */
  constructor(private readonly deps: TaskAdminDeps) {
    this.#logs = new TaskLogReader(deps.engine);
    this.#lists = new TaskLists(deps.engine);
    this.#statistics = new TaskStatistics(deps.engine);
    this.#queues = new QueueOverview({
      engine: deps.engine,
      lists: this.#lists,
      topology: deps.topology,
      declaredLimit: deps.declaredLimit,
      outbox: deps.outbox,
    });
  }

  /**
   * All queues that have ever been used or that a worker takes from, by name, with exact counts. The queues of the package itself
   * are left out, and so are those of a shard that cannot be reached: {@link shards} names it.
   *
   * @throws EngineUnavailableError
   * @example
   * ```ts
   * const stuck = (await admin.queues()).filter(({ counts, workers }) => counts.queued > 0 && workers === 0);
   * ```
   */
  async queues(): Promise<QueueInfo[]> {
    return this.#queues.queues();
  }

  /**
   * The shards of the application, the default one first, and whether each of them answers now. An application without the option
   * `shards` has the shard `default` alone.
   *
   * @example
   * ```ts
   * const missing = (await admin.shards()).filter(({ reachable }) => !reachable);
   * ```
   */
  async shards(): Promise<ShardInfo[]> {
    return readShards(this.deps.engine);
  }

  /**
   * One page of the tasks that match a filter. Each page reads a bounded number of stored tasks, whatever the queues hold: a page
   * whose `complete` is false found fewer than `limit` among them, and its cursor goes on from there.
   *
   * Tasks that ended come newest first, scheduled tasks by the time at which they are due, and queued tasks as workers take
   * them; `order` names the order. Without a state, the lists follow each other: running, queued, scheduled, waiting, failed,
   * succeeded. A task that moves from one list to another between two pages may be on both.
   *
   * Within a list, pages neither repeat nor skip tasks when others are added or end meanwhile. Only the waiting and running
   * tasks on Redis have no keys to go on from: there, a page goes on behind tasks of the page before, and starts again with the
   * first waiting task when all of those have left the queue. So tasks may be repeated, but are not skipped.
   *
   * @param filter all conditions have to hold; `{}` for all tasks
   * @param options.limit the most tasks of the page, 1 to 1,000; default 50
   * @param options.cursor the cursor of the page before; default: the first page
   * @throws InvalidArgumentsError for a wrong condition or limit, and for a cursor of another filter; nothing is read then
   * @throws EngineUnavailableError
   * @example
   * ```ts
   * let cursor: string | null = null;
   * do {
   *   const page = await admin.tasks({ queue: 'mail', state: 'failed' }, { cursor });
   *   for (const { id, error } of page.items) console.log(id, error?.message);
   *   cursor = page.cursor;
   * } while (cursor !== null);
   * ```
   */
  async tasks(filter: TaskFilter = {}, options: PageOptions = {}): Promise<TaskPage> {
    return toPage(await this.#lists.page(filter, options));
  }

  /**
   * A task with everything that is stored of it: also what HTTP hides.
   *
   * @throws TaskNotFoundError when the task is not stored, or no longer, as `handle.status()` does
   * @throws EngineUnavailableError
   * @example
   * ```ts
   * const { args, headers, error } = await admin.task(id);
   * ```
   */
  async task(id: string): Promise<TaskDetails> {
    return readDetails(id, this.deps.engine);
  }

  /**
   * The errors of failed tasks: tasks are put together whose errors have the same name and message, apart from numbers, ids, quoted
   * values and addresses. A call reads at most the last 10,000 failed tasks; `complete` tells whether those were all.
   *
   * @param options.since a time, or a duration before now, such as `'1h'`
   * @throws InvalidArgumentsError for a wrong queue, time or limit
   * @throws EngineUnavailableError
   * @example
   * ```ts
   * const { items } = await admin.errors({ since: '1h' });
   * for (const { name, message, count } of items) console.log(count, name, message);
   * const page = await admin.tasks({ state: 'failed', error: items[0].fingerprint });
   * ```
   */
  async errors(options: ErrorsOptions = {}): Promise<ErrorGroups> {
    return readErrors(options, { engine: this.deps.engine, lists: this.#lists });
  }

  /**
   * The processes that run tasks, the oldest first: those that are alive, and those that were lost in the last ten minutes.
   *
   * @throws EngineUnavailableError
   */
  async workers(): Promise<WorkerInfo[]> {
    const { engine } = this.deps;
    const workers = await engine.workers.list();
    const now = engine.now();
    return workers.toSorted((a, b) => a.startedAt - b.startedAt).map((worker) => toWorkerInfo(worker, now));
  }

  /**
   * How many tasks were enqueued and ended, and how long they waited and ran, step by step. All processes count, and store what
   * they counted every ten seconds and when they close. Figures are kept for a week, or as long as the option `stats.keep` says:
   * for two hours by the minute, for a day by ten minutes, and then by the hour, so older ones stand at the beginning of their
   * span. Beyond 500 names of a queue, further tasks count under the name `(other)`.
   *
   * @returns one entry for each step, the oldest first
   * @throws InvalidArgumentsError when `from` is not before `to`, or `step` is not a whole number of minutes or too short
   * @throws EngineUnavailableError
   * @example const today = await this.admin.stats({ queue: 'mail', from: Date.now() - 86_400_000, step: '1h' });
   */
  async stats(options: StatsOptions = {}): Promise<TaskStats[]> {
    return this.#statistics.series(options);
  }

  /**
   * What {@link stats} tells, apart for each queue or each name of a task, those with the most attempts first. All come from one
   * read of the store.
   *
   * @throws InvalidArgumentsError as `stats()` does, and when `limit` is not a whole number from 1 to 1,000
   * @throws EngineUnavailableError
   * @example
   * ```ts
   * const names = await this.admin.statsBy('name', { queue: 'mail' });
   * const slowest = names.toSorted((one, other) => (other.total.run.p95 ?? 0) - (one.total.run.p95 ?? 0))[0];
   * ```
   */
  async statsBy(by: 'queue' | 'name', options: StatsByOptions = {}): Promise<StatsGroup[]> {
    return this.#statistics.groups(by, options);
  }

  /**
   * The tasks of a workflow, which of them wait for which, and their states. Progress is not counted here.
   *
   * @param id the id of any of its tasks
   * @param options.limit the most tasks that are read, 1 to 2,000; default 500
   * @throws TaskNotFoundError when the task, or the last task of its workflow, is not stored
   * @throws InvalidArgumentsError for a wrong limit
   * @throws EngineUnavailableError
   * @example
   * ```ts
   * const { tasks } = await this.admin.workflow(id);
   * const failed = tasks.filter(({ status }) => status?.state === 'failed');
   * ```
   */
  async workflow(id: string, options: { readonly limit?: number | undefined } = {}): Promise<WorkflowGraph> {
    return readWorkflow(id, options, this.deps.engine);
  }

  /**
   * The lines that a task wrote with `TaskContext.log()`, in all its attempts, oldest first. The engine keeps the last 1,000 lines
   * of a task, or as many as the option `logs.keep` says.
   *
   * @throws TaskNotFoundError when there is no such task, or its time to live is over
   * @throws InvalidArgumentsError when `after` or `limit` is not a number in its range
   * @throws EngineUnavailableError
   * @example const [first] = await this.admin.logs(id, { limit: 1 });
   */
  async logs(id: string, options: LogOptions = {}): Promise<TaskLogLine[]> {
    return this.#logs.read(id, options);
  }

  /**
   * The lines of a task's log as they come, after those that are stored already. A new line comes within a second. The iteration
   * ends when the task is final, when it is removed, or when `signal` is aborted.
   *
   * @throws TaskNotFoundError with the first line, when there is no such task
   * @throws InvalidArgumentsError when `after` is not a number
   * @throws EngineUnavailableError
   * @example for await (const { at, level, text } of this.admin.followLogs(id)) console.log(at, level, text);
   */
  followLogs(id: string, options: FollowLogOptions = {}): AsyncIterable<TaskLogLine> {
    return this.#logs.follow(id, options);
  }

  /**
   * Pauses a queue for all workers: they start none of its tasks any more, and running tasks go on. New tasks wait as
   * `queued`. The pause is stored, so workers that start later obey it, and only {@link resume} ends it. A queue that no
   * process has used yet can be paused too.
   *
   * @param queue the name of one of the application's queues
   * @param options who pauses the queue, and why; both are stored
   * @throws InvalidArgumentsError when the text is no queue name
   * @throws EngineUnavailableError
   * @example await admin.pause('mail', { by: 'ada', reason: 'The mail server is down.' });
   */
  pause(queue: string, options: ActOptions = {}): Promise<void> {
    return this.deps.settings.pause(queue, options);
  }

  /**
   * Ends the pause of a queue. A queue that is not paused does not change.
   *
   * @throws InvalidArgumentsError when the text is no queue name
   * @throws EngineUnavailableError
   */
  resume(queue: string, options: ActOptions = {}): Promise<void> {
    return this.deps.settings.resume(queue, options);
  }

  /**
   * Limits how many tasks of a queue run at once in all workers together. The limit is stored: it takes precedence over the
   * code's in all workers, also in those that run already, until it is `null` again. Tasks that run go on.
   *
   * @param concurrency a whole number from 1; `null` returns to what the code declares. Pause the queue to run no task at all
   * @throws InvalidArgumentsError when the text is no queue name, or the number is wrong
   * @throws EngineUnavailableError
   * @example await admin.setGlobalConcurrency('reports', 2, { by: 'ada', reason: 'The database is slow.' });
   */
  setGlobalConcurrency(queue: string, concurrency: number | null, options: ActOptions = {}): Promise<void> {
    return this.deps.settings.setGlobalConcurrency(queue, concurrency, options);
  }

  /**
   * Limits how many tasks of a queue start in each period, in all workers together. The limit is stored: it takes precedence
   * over the option `queues.<name>.rateLimit` in all workers, also in those that run already, until it is `null` again.
   *
   * @param limit at most `max` tasks, a whole number from 1, in each period `per`, at least 1 ms; `null` returns to what the
   * code declares
   * @throws InvalidArgumentsError when the text is no queue name, or a value of the limit is wrong
   * @throws EngineUnavailableError
   * @example await admin.setRateLimit('mail', { max: 100, per: '1m' }, { by: 'ada' });
   */
  setRateLimit(
    queue: string,
    limit: { readonly max: number; readonly per: Duration } | null,
    options: ActOptions = {},
  ): Promise<void> {
    return this.deps.settings.setRateLimit(queue, limit, options);
  }

  /**
   * Runs a failed or cancelled task again under its id, with all its attempts; of a workflow, those of its members that did not
   * succeed. Any other task does not change.
   *
   * @returns the status after the request
   * @throws RetryRefusedError when the task is unique and an equal task has not ended
   * @throws TaskNotFoundError, EngineUnavailableError
   * @example await admin.retry(id, { by: 'ada', reason: 'The mail server is up again.' });
   */
  retry(id: string, options: ActOptions = {}): Promise<TaskStatus> {
    return this.deps.single.retry(id, options);
  }

  /**
   * Cancels a task; of a workflow, its members too. A task that has not started never runs. A running task gets its `signal` aborted.
   * A final task does not change.
   *
   * @param options `reason` becomes the message of the `TaskCancelledError`
   * @returns the status after the request
   * @throws TaskNotFoundError, EngineUnavailableError
   */
  cancel(id: string, options: ActOptions = {}): Promise<TaskStatus> {
    return this.deps.single.cancel(id, options);
  }

  /**
   * Removes the record of a final task.
   *
   * @returns false when the task is not final or not stored, or when a workflow that goes on needs its result
   * @throws EngineUnavailableError
   */
  forget(id: string, options: ActOptions = {}): Promise<boolean> {
    return this.deps.single.forget(id, options);
  }

  /**
   * Makes a task due now that waits for its time: of its delay, or of its next attempt. It comes first in its queue, and runs as
   * soon as a worker of the queue has a free place.
   *
   * @returns the status after the request
   * @throws ActRefusedError when the task waits for no time
   * @throws TaskNotFoundError, EngineUnavailableError
   */
  promote(id: string, options: ActOptions = {}): Promise<TaskStatus> {
    return this.deps.single.promote(id, options);
  }

  /**
   * Changes a task that has not started: its arguments, its time or its priority. A worker that takes the task in that moment runs
   * it with all of the change, or the change is refused. The values are checked as `enqueue()` checks them; the schema of the task is
   * checked here when this process declares the task, and by the worker in any case.
   *
   * @param change `args`: all arguments; `delay`: a duration from now, or a `Date`; `priority`: 0 to 9. What is left out stays
   * @returns the status after the change
   * @throws ActRefusedError when the task has started or ended, waits for other tasks of its workflow, or when its arguments are to
   * change and it is unique or has an idempotency key
   * @throws NotSerializableError, PayloadTooLargeError, InvalidArgumentsError, ConfigurationError when a value is wrong
   * @throws TaskNotFoundError, EngineUnavailableError
   * @example await admin.update(id, { args: ['ada@example.com'], delay: '10m' }, { by: 'ada' });
   */
  update(id: string, change: CallChange, options: ActOptions = {}): Promise<TaskStatus> {
    return this.deps.single.update(id, change, options);
  }

  /**
   * Runs all tasks again that match and have failed, each under its id and with all its attempts. A member of a failed workflow makes
   * the whole workflow run again: of its members, those that did not succeed. A task that fails again is not retried again.
   *
   * Like every act on many tasks, it is a task of its own: a worker performs it, whatever queues are paused. The handle shows its
   * progress `{ current, total, isEstimate, done, refused }`, cancels it between two steps, and has the result
   * `{ done, refused, refusedCount }`. `total` is an estimate until the act has ended. When the process of the worker dies, another one
   * goes on.
   *
   * @param filter which tasks; `state` is `failed` (default) or `cancelled`
   * @param options `rate`: the most tasks per second; default: as fast as the engine allows
   * @returns as soon as the act is stored
   * @throws InvalidArgumentsError when the filter or the rate is wrong
   * @throws EngineUnavailableError
   * @example
   * ```ts
   * const act = await admin.retryAll({ queue: 'mail', enqueuedAfter: '2026-11-27T03:00:00Z' }, { rate: 50, by: 'ada' });
   * const { done, refused } = await act.result();
   * ```
   */
  retryAll(filter: TaskFilter, options: ActOptions & { readonly rate?: number } = {}): Promise<TaskHandle<BulkResult>> {
    return this.deps.bulk.start('retryAll', filter, options);
  }

  /**
   * Cancels all tasks that match and have not ended, workflows first. See {@link retryAll}.
   *
   * @param options `reason` becomes the message of the `TaskCancelledError`
   * @throws InvalidArgumentsError when the filter is wrong
   * @throws EngineUnavailableError
   */
  cancelAll(filter: TaskFilter, options: ActOptions = {}): Promise<TaskHandle<BulkResult>> {
    return this.deps.bulk.start('cancelAll', filter, options);
  }

  /**
   * Removes the records of all final tasks that match. See {@link retryAll}. A task whose result a workflow still needs is refused.
   *
   * @throws InvalidArgumentsError when the filter is wrong
   * @throws EngineUnavailableError
   */
  forgetAll(filter: TaskFilter, options: ActOptions = {}): Promise<TaskHandle<BulkResult>> {
    return this.deps.bulk.start('forgetAll', filter, options);
  }

  /**
   * Removes all tasks of a queue that wait: those that are queued, and those whose time has not come. Running tasks go on. Handles of
   * the removed tasks reject with `TaskNotFoundError`, and a workflow that waits for one of them fails. See {@link retryAll}.
   *
   * @throws InvalidArgumentsError when the text is no queue name
   * @throws EngineUnavailableError
   */
  purge(queue: string, options: ActOptions = {}): Promise<TaskHandle<BulkResult>> {
    return this.deps.bulk.purge(queue, options);
  }

  /**
   * Shuts a worker down, as SIGTERM does: it takes no more tasks, running tasks get their time to end, and then its process ends. The
   * worker acts within seconds. A process whose application does not listen for SIGTERM (`app.enableShutdownHooks()`) takes no more
   * tasks, goes on, and says so in its log.
   *
   * @param workerId the `id` of a worker of {@link workers}
   * @returns as soon as the request is stored
   * @throws WorkerNotFoundError when there is no such worker, or it is lost
   * @throws InvalidArgumentsError when `grace` is no duration
   * @throws EngineUnavailableError
   * @example await admin.shutdown(worker.id, { grace: '1m', by: 'ada', reason: 'It needs too much memory.' });
   */
  shutdown(workerId: string, options: ShutdownOptions = {}): Promise<void> {
    return this.deps.workerShutdown.request(workerId, options);
  }
}
