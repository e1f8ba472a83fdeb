import { createHash } from 'node:crypto';
import { isFinal, type TaskFailure, type TaskRecord } from '../engine/task.js';
import { toStatus, type TaskStatus } from '../results/task-status.js';
import type { ResolvedHttpOptions } from './http-options.js';
import { isThenable } from '../not-a-promise.js';
import { PackageLogger } from '../package-logger.js';
import { thrownStack, thrownText } from '../thrown-text.js';

/** The status of a task as clients get it. */
export interface View {
  /** The `TaskStatus` as JSON, on one line. */
  readonly json: string;
  /** A digest of the JSON, the same in every process. It is the `ETag`, and the id of an event. */
  readonly version: string;
  readonly final: boolean;
}

/** Stands for an error that clients may not see. */
const HIDDEN_ERROR = { name: 'Error', message: 'The task failed' };

/** The number of logged failures that a view remembers. Beyond that number, the oldest may be logged again. */
const MAX_LOGGED = 1_000;

/** Turns a record into the status that clients may see, and logs the error that it hides from them. */
export class TaskView {
  private readonly logger = new PackageLogger();
  private readonly logged = new Set<string>();
  /** The last view. All observers of a task get the same record one after the other, so it is serialised only once. */
  private latest: { readonly record: TaskRecord; readonly view: View } | undefined;

  constructor(private readonly options: false | Pick<ResolvedHttpOptions, 'mayShow' | 'details'>) {}

  of(record: TaskRecord): View {
    if (this.latest?.record === record) return this.latest.view;
    const json = JSON.stringify(this.visibleStatus(record));
    const view: View = {
      json,
      version: createHash('sha1').update(json).digest('base64url'),
      final: isFinal(record.state),
    };
    this.latest = { record, view };
    return view;
  }

  private visibleStatus(record: TaskRecord): Partial<TaskStatus> {
    const status = this.detailsOf(toStatus(record));
    const { error } = record;
    if (!error || this.mayShow(record, error)) return status;
    this.logOnce(record, error);
    return { ...status, error: HIDDEN_ERROR };
  }

  /** Position and estimate tell clients how busy the application is. */
  private detailsOf(status: TaskStatus): Partial<TaskStatus> {
    if (this.options && this.options.details) return status;
    const { position: _position, estimatedStart: _estimatedStart, ...rest } = status;
    return rest;
  }

  private mayShow({ id, name: task, state }: TaskRecord, { name, message, code, exposable }: TaskFailure): boolean {
    // The reason of a cancellation or an expiry does not come from the task's own code.
    if (state === 'cancelled' || state === 'expired' || !this.options) return true;
    try {
      // The return type is a promise of the application, which JavaScript does not check. A promise would be truthy.
      const answer: unknown = this.options.mayShow({
        name,
        message,
        ...(code !== undefined && { code }),
        ...(exposable !== undefined && { exposable }),
      });
      if (isThenable(answer)) this.reportPromise(answer);
      return answer === true;
    } catch (error) {
      this.logger.error(
        `http.exposeErrors failed, so the endpoint hides the error of task ${task} (${id}): ${thrownText(error)}`,
        thrownStack(error),
      );
      return false;
    }
  }

  /** Also handles the rejection of the promise, which would end the process. */
  private reportPromise(answer: PromiseLike<unknown>): void {
    Promise.resolve(answer).catch(() => undefined);
    this.logger.error('http.exposeErrors returned a promise, so the endpoint hides the error. Return true or false.');
  }

  private logOnce({ id, name: task }: TaskRecord, { name, message, stack }: TaskFailure): void {
    const key = createHash('sha1').update(`${id} ${name} ${message}`).digest('base64url');
    if (this.logged.has(key)) return;
    this.logged.add(key);
    if (this.logged.size > MAX_LOGGED) this.logged.delete(this.logged.values().next().value as string);
    this.logger.error(
      `Task ${task} (${id}) failed with an error that is hidden from clients: ${name}: ${message}`,
      stack,
    );
  }
}
