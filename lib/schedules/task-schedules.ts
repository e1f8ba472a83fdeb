import { inBatches } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import type { EnqueuePort } from '../engine/ports/enqueue-port.js';
import { findReachable } from '../engine/shards/find-reachable.js';
import type { Topology } from '../engine/shards/topology.js';
import { newTaskId } from '../engine/task-id.js';
import { ConfigurationError, ScheduleNotFoundError } from '../errors.js';
import { TaskHandle } from '../results/task-handle.js';
import type { TaskResults } from '../results/task-results.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import { refuseUnknown, type FieldsOf } from '../option-fields.js';
import { checkArguments, checkScheduleId, checkSettings, checkTask } from './check-settings.js';
import type { DeclaredSchedules } from './declared-schedules.js';
import { isAlive } from './reconcile.js';
import { sameTiming } from './stored-schedule.js';
import type { ScheduleBook } from './schedule-book.js';
import type { SchedulableTask, ScheduleSettings, TaskArguments } from './schedule-options.js';
import { readRecentRuns } from './recent-runs.js';
import { toScheduleStatus, type ScheduledRun, type ScheduleStatus } from './schedule-status.js';
import type { Schedule } from './schedule.js';
import type { StoredSchedule } from './stored-schedule.js';
import { callOf } from './scheduled-call.js';

/** The number of schedules that `list()` reads with one call. */
const PAGE = 100;
/** The most runs that `runs()` returns. */
const MOST_RUNS = 100;

const SETTINGS: FieldsOf<Required<ScheduleSettings>> = {
  cron: true,
  every: true,
  timezone: true,
  overlap: true,
  catchUp: true,
  endsAt: true,
  limit: true,
};

/** Which schedules `TaskSchedules.list()` returns. */
export interface ScheduleListOptions {
  /** The most schedules that are returned, at least 1. Default: all. */
  readonly limit?: number;
  /** Only schedules whose id is behind this one. Default: `''`. */
  readonly after?: string | undefined;
}

/** The parts of the application that {@link TaskSchedules} needs. */
export interface TaskSchedulesDeps {
  readonly engine: Pick<Engine, 'find' | 'missingShards' | 'now' | 'schedules'>;
  readonly topology: Topology;
  readonly calls: Pick<EnqueuePort, 'enqueue'>;
  readonly results: TaskResults;
  readonly book: ScheduleBook;
  readonly declared: DeclaredSchedules;
  /** The call that a schedule of this task enqueues. The task is given by its producer or its name. */
  readonly template: (task: string | { readonly name: string }, args: readonly unknown[]) => Promise<TaskTemplate>;
}

/**
 * Reads and changes the schedules of the whole application while it runs. Every process can inject it, also a process
 * that runs no tasks. A change applies to all processes and survives their restart.
 *
 * A schedule of `@Schedule()` can be paused, resumed and run, but only the code can change or remove it.
 *
 * Every method throws `EngineUnavailableError` when the engine does not answer in time.
 *
 * @example
 * constructor(
 *   private readonly schedules: TaskSchedules,
 *   @InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>,
 * ) {}
 *
 * await this.schedules.upsert('digest-7', { task: this.mails.digest, args: [7], cron: '0 8 * * 1' });
 * await this.schedules.pause('digest-7');
 */
export class TaskSchedules {
  readonly #deps: TaskSchedulesDeps;

  /** @internal */
  constructor(deps: TaskSchedulesDeps) {
    this.#deps = deps;
  }

  /**
   * Creates a schedule, or replaces the schedule with this id. When `cron`, `every`, `timezone`, `endsAt` or `limit`
   * changes, the schedule begins anew: no earlier tick counts as missed, and `runs` starts at 0. A paused schedule
   * stays paused. The same call again changes nothing. It replaces a broken schedule too.
   *
   * @param id 1 to 200 characters without spaces
   * @param schedule the task as its producer, its arguments, when it is due, and the options. Options of
   * `producer.with()` apply to each run, except `delay`, `idempotencyKey` and an `expires` that is a `Date`: they throw
   * @returns the schedule as it is afterwards
   * @throws ConfigurationError when a setting is not valid, or when the id belongs to a `@Schedule()`
   * @throws NotSerializableError, PayloadTooLargeError, InvalidArgumentsError when the arguments cannot be enqueued
   * @example
   * await schedules.upsert('digest-7', { task: mails.digest, args: [7], cron: '0 8 * * 1', timezone: 'Asia/Tokyo' });
   */
  upsert<A extends readonly unknown[]>(
    id: string,
    schedule: ScheduleSettings & { readonly task: SchedulableTask<A> } & TaskArguments<A>,
  ): Promise<ScheduleStatus>;
  /**
   * Does the same for a task that is given by its name, so that this process does not have to declare it. The compiler
   * does not check its arguments.
   */
  upsert(
    id: string,
    schedule: ScheduleSettings & { readonly task: string; readonly args?: readonly unknown[] },
  ): Promise<ScheduleStatus>;
  async upsert(
    id: string,
    schedule: ScheduleSettings & { readonly task: string | { readonly name: string } },
  ): Promise<ScheduleStatus> {
    const { task, args = [], ...settings } = schedule as typeof schedule & { readonly args?: readonly unknown[] };
    const { book, declared } = this.#deps;
    const what = `Schedule "${id}"`;
    checkScheduleId(id, 'A schedule');
    refuseUnknown<ScheduleSettings>(settings, SETTINGS, (name) => `${name} of ${what}`);
    checkTask(task, what);
    checkArguments(args, what);
    const checked = checkSettings(settings, settings, what);
    const template = await this.#deps.template(task, args);
    const known = await book.get(id);
    const isDeclared = known && !known.broken ? known.stored.source === 'decorator' : declared.has(id);
    if (isDeclared) {
      throw new ConfigurationError(
        `${what} is declared by a @Schedule() in the code. Change it there, or pause it with schedules.pause('${id}') and create another schedule with another id.`,
      );
    }
    const since =
      known && !known.broken && sameTiming(known.stored, checked) ? known.stored.since : this.#deps.engine.now();
    const stored: StoredSchedule = { id, source: 'runtime', ...checked, template, since };
    await this.#change(id, async () => {
      await book.put([stored]);
      // It is not known whether the schedule was paused, because the record cannot be read.
      if (known?.broken && !known.pause) await book.removePause(id);
    });
    return this.#status(id);
  }

  /**
   * The schedules, sorted by id: all of them, or one page.
   *
   * @param page `limit`: the most schedules that are returned, at least 1, default all; `after`: only the schedules behind
   * this id, default `''`
   * @throws ConfigurationError when `limit` is not valid
   * @example
   * const first = await schedules.list({ limit: 50 });
   * const second = await schedules.list({ limit: 50, after: first.at(-1)?.id });
   */
  async list({ after = '', limit }: ScheduleListOptions = {}): Promise<ScheduleStatus[]> {
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) {
      throw new ConfigurationError(`limit of schedules.list() is ${String(limit)}. Give a whole number, at least 1.`);
    }
    const { book } = this.#deps;
    const ids = await book.idsAfter(after, limit ?? Infinity);
    const pages = Array.from({ length: Math.ceil(ids.length / PAGE) }, (_, index) =>
      ids.slice(index * PAGE, (index + 1) * PAGE),
    );
    const statuses = await inBatches(pages, 1, async (page) => {
      const schedules = await book.getMany(page);
      return Promise.all(Array.from(schedules.values(), (schedule) => this.#describe(schedule)));
    });
    return statuses.flat();
  }

  /** The schedule with this id; `undefined` when there is none. */
  async get(id: string): Promise<ScheduleStatus | undefined> {
    const schedule = await this.#deps.book.get(id);
    return schedule && this.#describe(schedule);
  }

  /**
   * The last runs of a schedule, the latest first. Runs whose tasks are not stored any more are left out, and so are the runs
   * before its timing was last changed. Of the runs by `runNow()` only the last one is known.
   *
   * @param options.limit the most runs, 1 to 100; default 10
   * @throws ScheduleNotFoundError
   * @throws ConfigurationError when `limit` is not valid
   * @example
   * const failed = (await schedules.runs('digest-7')).filter(({ state }) => state === 'failed');
   */
  async runs(id: string, { limit = 10 }: { readonly limit?: number } = {}): Promise<ScheduledRun[]> {
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= MOST_RUNS)) {
      throw new ConfigurationError(
        `limit of schedules.runs() is ${String(limit)}. Give a whole number from 1 to ${MOST_RUNS}.`,
      );
    }
    return readRecentRuns(await this.#known(id), limit, this.#deps.engine);
  }

  /**
   * Pauses a schedule: its ticks pass without a run, also in processes that start later, until `resume()`. On a paused
   * schedule it changes nothing.
   *
   * @returns the schedule as it is afterwards
   * @throws ScheduleNotFoundError
   */
  async pause(id: string): Promise<ScheduleStatus> {
    return this.#setPaused(id, true);
  }

  /**
   * Resumes a paused schedule with its next tick. Nothing makes up for the ticks of the pause.
   *
   * @returns the schedule as it is afterwards
   * @throws ScheduleNotFoundError
   */
  async resume(id: string): Promise<ScheduleStatus> {
    return this.#setPaused(id, false);
  }

  /**
   * Removes a schedule. The tasks that it enqueued stay.
   *
   * @returns false when there is no schedule with this id
   * @throws ConfigurationError when a `@Schedule()` of a running process declares the schedule
   */
  async remove(id: string): Promise<boolean> {
    const { book } = this.#deps;
    const schedule = await book.get(id);
    if (!schedule) return false;
    if (schedule.stored.source === 'decorator' && !schedule.broken && (await this.#isDeclared(schedule))) {
      throw new ConfigurationError(
        `Schedule "${id}" is declared by a @Schedule() in the code, which would set it again. Remove it there, or pause it with schedules.pause('${id}').`,
      );
    }
    await this.#change(id, () => book.remove([schedule]));
    return true;
  }

  /**
   * Enqueues the schedule's task now, also while the schedule is paused. The run has no tick and does not count for
   * `limit`.
   *
   * @returns a handle of the task. With `overlap: 'skip'`, while an earlier run has not ended, it is the handle of that
   * run, with `deduplicated: true`
   * @throws ScheduleNotFoundError
   * @throws ConfigurationError when the stored schedule is broken
   * @throws QueueFullError when the queue has `maxQueued` tasks
   */
  async runNow(id: string): Promise<TaskHandle> {
    const { book, calls, engine, results } = this.#deps;
    const { stored, broken } = await this.#known(id);
    if (broken) {
      throw new ConfigurationError(
        `Schedule "${id}" is broken: ${broken.reason} Set it again with schedules.upsert('${id}', …), or remove it.`,
      );
    }
    const call = callOf(stored, newTaskId(stored.template.queue), undefined, engine.now());
    const [receipt] = await calls.enqueue([call]);
    const { id: task, deduplicated, state } = receipt as NonNullable<typeof receipt>;
    if (!deduplicated) await book.recordManualRun(id, { task, at: engine.now() });
    return new TaskHandle(results, { id: task, name: call.name, deduplicated, initialState: state });
  }

  async #setPaused(id: string, paused: boolean): Promise<ScheduleStatus> {
    const known = await this.#known(id);
    if (known.paused !== paused || (known.broken && !known.pause)) {
      await this.#change(id, () => this.#deps.book.putPause(id, { paused, at: this.#deps.engine.now() }));
    }
    return this.#status(id);
  }

  async #change(id: string, change: () => Promise<void>): Promise<void> {
    await change();
    await this.#deps.book.announce([id]);
  }

  /** Whether a version of the code that runs now declares the schedule, and would put it again. */
  async #isDeclared({ stored }: Schedule): Promise<boolean> {
    const { versions } = await this.#deps.book.read();
    return versions.some(
      (version) =>
        version.queue === stored.template.queue &&
        isAlive(version, this.#deps.engine.now()) &&
        (version.code?.schedules.includes(stored.id) ?? true),
    );
  }

  async #known(id: string): Promise<Schedule> {
    const schedule = await this.#deps.book.get(id);
    if (!schedule) throw new ScheduleNotFoundError(id);
    return schedule;
  }

  async #status(id: string): Promise<ScheduleStatus> {
    return this.#describe(await this.#known(id));
  }

  async #describe(schedule: Schedule): Promise<ScheduleStatus> {
    const { lastTask } = schedule;
    const record = lastTask === undefined ? undefined : await findReachable(lastTask, this.#deps);
    return toScheduleStatus(schedule, record, this.#deps.engine.now());
  }
}
