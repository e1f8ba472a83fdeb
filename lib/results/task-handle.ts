import { parseDuration, type Duration } from '../duration.js';
import { type TaskRecord, type TaskState, isFinal } from '../engine/task.js';
import {
  ResultTimeoutError,
  TaskCancelledError,
  TaskExpiredError,
  TaskFailedError,
  TaskNotFoundError,
  WorkflowFailedError,
} from '../errors.js';
import type { TaskResults } from './task-results.js';
import { toStatus, type TaskStatus } from './task-status.js';

/**
 * A stored task, wherever it runs. `enqueue` gives one, `taskQueue.handle(id)` makes one from an id. Handles are cheap:
 * they hold no connection and need no closing.
 *
 * A handle is not thenable, so that `await reports.build.enqueue(...)` waits for the storing and not for the task.
 *
 * @typeParam R what the task's method returns
 */
export class TaskHandle<R = unknown> {
  readonly id: string;
  /** The task's name; `undefined` on a handle made from a bare id. */
  readonly name: string | undefined;
  /** True when this call stored nothing, for an earlier task does the same work: `id` is that one's. */
  readonly deduplicated: boolean;
  /** The state right after the call that gave the handle; `undefined` on a handle made from a bare id. */
  readonly initialState: TaskState | undefined;

  readonly #results: TaskResults;

  /** @internal */
  constructor(
    results: TaskResults,
    known: {
      readonly id: string;
      readonly name?: string;
      readonly deduplicated?: boolean;
      readonly initialState?: TaskState;
    },
  ) {
    this.id = known.id;
    this.name = known.name;
    this.deduplicated = known.deduplicated ?? false;
    this.initialState = known.initialState;
    this.#results = results;
  }

  /** @throws TaskNotFoundError, EngineUnavailableError */
  async status(): Promise<TaskStatus<R>> {
    return toStatus<R>(await this.found(this.#results.find(this.id)));
  }

  /**
   * What the method returned, as soon as the task succeeded.
   *
   * @param options.timeout how long to wait; default: for ever
   * @param options.signal stops waiting; the task itself goes on
   * @throws TaskFailedError, TaskCancelledError, TaskExpiredError as the task ended
   * @throws ResultTimeoutError when it is not final in time
   * @throws TaskNotFoundError when there is no such task any more
   */
  async result(options: { timeout?: Duration; signal?: AbortSignal } = {}): Promise<R> {
    const timeout = options.timeout === undefined ? undefined : parseDuration(options.timeout, 'result({ timeout })');
    const record = await this.#results.untilFinal(this.id, { timeout, signal: options.signal });
    if (!record || !isFinal(record.state)) {
      throw new ResultTimeoutError(
        `Task ${this.id} is ${record?.state ?? 'out of reach'} after ${timeout} ms. It goes on; ask again, or wait longer.`,
      );
    }
    return resultOf<R>(record);
  }

  /**
   * The status now, then at every change, ending with the final one. Somebody who reads slowly sees fewer changes, and
   * always the last.
   *
   * @throws TaskNotFoundError when there is no such task
   */
  async *updates(options: { signal?: AbortSignal } = {}): AsyncGenerator<TaskStatus<R>, void, undefined> {
    for await (const record of this.#results.updates(this.id, options.signal)) yield toStatus<R>(record);
  }

  /**
   * Asks for cancellation. A task that has not started never runs; a running one has its `signal` aborted; on a final
   * one it changes nothing.
   *
   * @param reason becomes the message of the `TaskCancelledError`
   * @returns the status afterwards
   */
  async cancel(reason?: string): Promise<TaskStatus<R>> {
    return toStatus<R>(await this.found(this.#results.cancel(this.id, reason)));
  }

  /**
   * Runs a failed or cancelled task again under its id, with all its attempts. On any other it changes nothing.
   *
   * @returns the status afterwards
   */
  async retry(): Promise<TaskStatus<R>> {
    return toStatus<R>(await this.found(this.#results.retry(this.id)));
  }

  /**
   * The members of a workflow, in order: the steps of a chain, the members of a group; each with its state as it is now.
   * A member may be a workflow itself, with children of its own. Empty for a task that waits for no other.
   *
   * @throws TaskNotFoundError, EngineUnavailableError
   */
  async children(): Promise<ChildHandle[]> {
    const record = await this.found(this.#results.find(this.id));
    return (await this.#results.children(record)).map((child) => new ChildHandle(this.#results, child));
  }

  /**
   * Drops what is stored of a final task.
   *
   * @returns false when it is not final, or not there
   */
  forget(): Promise<boolean> {
    return this.#results.forget(this.id);
  }

  private async found(asked: Promise<TaskRecord | undefined>): Promise<TaskRecord> {
    const record = await asked;
    if (!record) throw new TaskNotFoundError(this.id);
    return record;
  }
}

/** A member of a workflow. */
export class ChildHandle<R = unknown> extends TaskHandle<R> {
  /** When `children()` was called; `undefined` when it is not stored, not yet or not any more. */
  readonly state: TaskState | undefined;

  /** @internal */
  constructor(results: TaskResults, { id, name, state }: { id: string; name?: string; state?: TaskState }) {
    super(results, { id, ...(name !== undefined && { name }), ...(state && { initialState: state }) });
    this.state = state;
  }
}

function resultOf<R>(record: TaskRecord): R {
  const failure = record.error ?? { name: 'Error', message: 'no reason was stored' };
  switch (record.state) {
    case 'succeeded':
      return record.result as R;
    case 'cancelled':
      throw new TaskCancelledError(failure.message);
    case 'expired':
      throw new TaskExpiredError(failure.message);
    default:
      if (record.error?.member)
        throw new WorkflowFailedError(record.id, record.name, failure.message, record.error.member);
      throw new TaskFailedError(record.id, record.name, failure);
  }
}
