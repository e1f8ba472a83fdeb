import type { Engine } from '../engine/engine.js';
import { newTaskId } from '../engine/task-id.js';
import { ConfigurationError, ScheduleNotFoundError } from '../errors.js';
import { TaskHandle } from '../results/task-handle.js';
import type { TaskResults } from '../results/task-results.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import { checkScheduleId, checkSettings } from './check-settings.js';
import type { DeclaredSchedules } from './declared-schedules.js';
import { isAlive } from './reconcile.js';
import { sameTiming } from './stored-schedule.js';
import type { ScheduleBook } from './schedule-book.js';
import type { SchedulableTask, ScheduleSettings, TaskArguments } from './schedule-options.js';
import { toScheduleStatus, type ScheduleStatus } from './schedule-status.js';
import type { Schedule } from './schedule.js';
import type { StoredSchedule } from './stored-schedule.js';
import { callOf } from './scheduled-call.js';

/** What {@link TaskSchedules} stands on. */
export interface TaskSchedulesDeps {
  readonly engine: Engine;
  readonly results: TaskResults;
  readonly book: ScheduleBook;
  readonly declared: DeclaredSchedules;
  /** What is to be enqueued for a producer, or a task of this name. */
  readonly template: (task: string | { readonly name: string }, args: readonly unknown[]) => Promise<TaskTemplate>;
}

/**
 * The schedules of the whole application, to be looked at and changed while it runs. Injectable anywhere, in processes
 * that run nothing too: what it says and does goes for all of them, and outlives them.
 *
 * Schedules of `@Schedule()` can be paused, resumed and run; what they are is said in the code.
 */
export class TaskSchedules {
  readonly #deps: TaskSchedulesDeps;

  /** @internal */
  constructor(deps: TaskSchedulesDeps) {
    this.#deps = deps;
  }

  /**
   * Makes a schedule, or replaces the one of this id. Where its times change it begins anew; what was paused stays
   * paused. Saying the same again changes nothing.
   *
   * @example
   * await schedules.upsert('digest-7', { task: mails.digest, args: [7], cron: '0 8 * * *', timezone: 'Europe/Berlin' });
   *
   * @throws ConfigurationError for settings that make no sense, and for the id of a `@Schedule()`
   * @throws NotSerializableError, PayloadTooLargeError, InvalidArgumentsError as `enqueue` does
   * @throws EngineUnavailableError
   */
  upsert<A extends readonly unknown[]>(
    id: string,
    schedule: ScheduleSettings & { readonly task: SchedulableTask<A> } & TaskArguments<A>,
  ): Promise<ScheduleStatus>;
  /** @param schedule whose task is named, for it is not known here */
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
    const checked = checkSettings(settings, settings, what);
    const template = await this.#deps.template(task, args);
    const known = await book.get(id);
    if (known?.stored.source === 'decorator' || (!known && declared.has(id))) {
      throw new ConfigurationError(
        `${what} is what a @Schedule() in the code says. Change it there, or pause it with schedules.pause('${id}') and make another under another id.`,
      );
    }
    const since = known && sameTiming(known.stored, checked) ? known.stored.since : Date.now();
    const stored: StoredSchedule = { id, source: 'runtime', ...checked, template, since };
    await this.#change(() => book.put([stored]));
    return this.#status(id);
  }

  /** All of them, by id. */
  async list(): Promise<ScheduleStatus[]> {
    const { schedules } = await this.#deps.book.read();
    const sorted = [...schedules.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return Promise.all(sorted.map((schedule) => this.#describe(schedule)));
  }

  /** `undefined` when there is none of this id. */
  async get(id: string): Promise<ScheduleStatus | undefined> {
    const schedule = await this.#deps.book.get(id);
    return schedule && this.#describe(schedule);
  }

  /**
   * Lets its ticks pass, also in processes that start later, until it is resumed.
   *
   * @throws ScheduleNotFoundError
   */
  async pause(id: string): Promise<ScheduleStatus> {
    return this.#setPaused(id, true);
  }

  /**
   * Goes on with the next tick; those it was paused for are not made up for.
   *
   * @throws ScheduleNotFoundError
   */
  async resume(id: string): Promise<ScheduleStatus> {
    return this.#setPaused(id, false);
  }

  /**
   * Drops it. Tasks that it enqueued stay.
   *
   * @returns false when there is none of this id
   * @throws ConfigurationError when a `@Schedule()` says that it is there
   */
  async remove(id: string): Promise<boolean> {
    const { book } = this.#deps;
    const { schedules, versions } = await book.read();
    const schedule = schedules.get(id);
    if (!schedule) return false;
    const { source, template } = schedule.stored;
    const now = Date.now();
    // What nobody declares any more can go: its queue has no consumer left who would remove it.
    if (source === 'decorator' && versions.some((one) => one.queue === template.queue && isAlive(one, now))) {
      throw new ConfigurationError(
        `Schedule "${id}" is what a @Schedule() in the code says, and would come back. Remove it there, or pause it with schedules.pause('${id}').`,
      );
    }
    await this.#change(() => book.remove(new Set([id])));
    return true;
  }

  /**
   * Runs its task now, whatever the time, paused or not. With `overlap: 'skip'` and a run that has not ended this gives
   * the handle of that one, `deduplicated`.
   *
   * @throws ScheduleNotFoundError, EngineUnavailableError
   */
  async runNow(id: string): Promise<TaskHandle> {
    const { book, engine, results } = this.#deps;
    const { stored } = await this.#known(id);
    const call = callOf(stored, newTaskId(stored.template.queue), undefined);
    const [receipt] = await engine.enqueue([call]);
    const { id: task, deduplicated, state } = receipt as NonNullable<typeof receipt>;
    if (!deduplicated) await book.noteManualRun(id, { task, at: Date.now() });
    return new TaskHandle(results, { id: task, name: call.name, deduplicated, initialState: state });
  }

  async #setPaused(id: string, paused: boolean): Promise<ScheduleStatus> {
    const known = await this.#known(id);
    if (known.paused !== paused) {
      await this.#change(() => this.#deps.book.putPause(id, { paused, at: Date.now() }));
    }
    return this.#status(id);
  }

  async #change(change: () => Promise<void>): Promise<void> {
    await change();
    // Whoever does not hear of it reads it before long.
    await this.#deps.engine.schedules.announce().catch(() => undefined);
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
    const record = lastTask === undefined ? undefined : await this.#deps.engine.find(lastTask);
    return toScheduleStatus(schedule, record, Date.now());
  }
}
