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
import { untilCommitted, type UncommittedCall } from './uncommitted-call.js';
import { toStatus, type TaskStatus } from './task-status.js';

/**
 * Follows and controls one stored task, wherever the task runs. `enqueue` returns a handle, and `taskQueue.handle(id)`
 * makes one from an id. Handles are cheap: a handle has no connection of its own and need not be closed.
 *
 * A handle is not thenable, so `await reports.build.enqueue(...)` waits until the task is stored, not until it has
 * ended.
 *
 * @typeParam R the return type of the task's method
 * @example
 * const handle = await this.reports.build.enqueue('2026-01');
 * const report = await handle.result({ timeout: '30s' });
 */
export class TaskHandle<R = unknown> {
  readonly id: string;
  /** The task's name; `undefined` on a handle made from a bare id. */
  readonly name: string | undefined;
  /**
   * True when this call stored nothing, because an earlier task does the same work. `id` is the id of that task. `undefined` for
   * a call that waits in an outbox: it is decided when a relay moves the call, and the handle then leads to that task.
   */
  readonly deduplicated: boolean | undefined;
  /** The state right after the call that returned the handle; `undefined` on a handle made from a bare id. */
  readonly initialState: TaskState | undefined;

  readonly #results: TaskResults;
  readonly #uncommitted: UncommittedCall | undefined;

  /** @internal */
  constructor(
    results: TaskResults,
    known: {
      readonly id: string;
      readonly name?: string;
      readonly deduplicated?: boolean | undefined;
      readonly initialState?: TaskState;
      /** The transaction in which the task was stored. */
      readonly transaction?: UncommittedCall | undefined;
    },
  ) {
    this.id = known.id;
    this.name = known.name;
    this.deduplicated = 'deduplicated' in known ? known.deduplicated : false;
    this.initialState = known.initialState;
    this.#results = results;
    this.#uncommitted = known.transaction;
  }

  /**
   * Fetches the current status.
   *
   * @throws TaskNotFoundError when the task is not stored, or no longer
   * @throws EngineUnavailableError when the engine cannot be reached
   */
  async status(): Promise<TaskStatus<R>> {
    return toStatus<R>(await this.#results.withBlock(await this.required(this.#results.find(this.id))));
  }

  /**
   * Waits until the task is final.
   *
   * A task that was enqueued in a transaction exists after the commit. This method waits for that too.
   *
   * @param options.timeout how long to wait; default: no limit, and 60 s for a task that was enqueued in a transaction
   * @param options.signal rejects the wait with its reason when it is aborted; the task itself continues
   * @returns the return value of the method
   * @throws TaskFailedError, TaskCancelledError or TaskExpiredError when the task did not succeed
   * @throws WorkflowFailedError when a member of the workflow did not succeed
   * @throws ResultTimeoutError when the task is not final in time
   * @throws TaskNotFoundError when the task is not stored, or no longer; for a task that was enqueued in a transaction: after
   * `timeout`, or at once inside of the transaction
   * @throws SelfWaitError inside of a task, when the awaited task can never start
   * @throws EngineUnavailableError when the application closes or is closed
   */
  async result(options: { timeout?: Duration; signal?: AbortSignal } = {}): Promise<R> {
    const timeout = options.timeout === undefined ? undefined : parseDuration(options.timeout, 'result({ timeout })');
    const given = { timeout, signal: options.signal };
    const record = await (this.#uncommitted
      ? untilCommitted(this.id, this.#uncommitted, given, (left) => this.#results.untilFinal(this.id, left))
      : this.#results.untilFinal(this.id, given));
    if (!record || !isFinal(record.state)) {
      const found = record ? `is ${record.state} after ${timeout} ms` : `could not be reached within ${timeout} ms`;
      throw new ResultTimeoutError(
        `Task ${this.id} ${found}. The task continues: call result() again, or give a longer timeout.`,
      );
    }
    return resultOf<R>(record);
  }

  /**
   * Yields the current status, then the status at every change. The final status is the last. A slow reader skips
   * changes, but always gets the last.
   *
   * @param options.signal ends the iteration with the signal's reason when it is aborted
   * @throws TaskNotFoundError when the task is not stored, or no longer
   * @throws EngineUnavailableError when the application closes or is closed
   * @example
   * for await (const { state, progress } of handle.updates()) console.log(state, progress);
   */
  async *updates(options: { signal?: AbortSignal } = {}): AsyncGenerator<TaskStatus<R>, void, undefined> {
    for await (const record of this.#results.updates(this.id, options.signal)) yield toStatus<R>(record);
  }

  /**
   * Requests the cancellation of the task. A task that has not started never runs. A running task gets its `signal`
   * aborted. A final task does not change.
   *
   * @param reason becomes the message of the `TaskCancelledError`
   * @returns the status after the request
   * @throws TaskNotFoundError when the task is not stored, or no longer
   */
  async cancel(reason?: string): Promise<TaskStatus<R>> {
    return toStatus<R>(await this.required(this.#results.cancel(this.id, reason)));
  }

  /**
   * Runs a failed or cancelled task again under its id, with all its attempts. Any other task does not change.
   *
   * A cancelled run may not have ended yet. The call waits for its end, up to 2 seconds; after that the status is `running`, and the
   * task runs again as soon as that run ends. So do the members of a workflow.
   *
   * @returns the status after the request
   * @throws RetryRefusedError when the task is unique and an equal task has not ended
   * @throws TaskNotFoundError when the task is not stored, or no longer
   */
  async retry(): Promise<TaskStatus<R>> {
    return toStatus<R>(await this.required(this.#results.retry(this.id)));
  }

  /**
   * Fetches the members of a workflow, in order: the steps of a chain, or the members of a group. Each member has its
   * current state. A member may itself be a workflow with children.
   *
   * @returns an empty list for a task that waits for no other task
   * @throws TaskNotFoundError when the task is not stored, or no longer
   * @throws EngineUnavailableError when the engine cannot be reached
   */
  async children(): Promise<ChildHandle[]> {
    const record = await this.required(this.#results.find(this.id));
    return (await this.#results.children(record)).map((child) => new ChildHandle(this.#results, child));
  }

  /**
   * Removes the record of a final task, of a workflow with the records of its members.
   *
   * @returns false when the task is not final or not stored, when a workflow that goes on needs its result, or while a
   * member of the workflow still runs
   */
  forget(): Promise<boolean> {
    return this.#results.forget(this.id);
  }

  private async required(lookup: Promise<TaskRecord | undefined>): Promise<TaskRecord> {
    const record = await lookup;
    if (!record) throw new TaskNotFoundError(this.id);
    return record;
  }
}

/** The handle of a workflow's member, from `handle.children()`. */
export class ChildHandle<R = unknown> extends TaskHandle<R> {
  /** The state when `children()` was called; `undefined` while the member is not stored yet, or no longer stored. */
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
