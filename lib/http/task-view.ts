import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { isFinal, type TaskFailure, type TaskRecord } from '../engine/task.js';
import { toStatus, type TaskStatus } from '../results/task-status.js';
import type { ResolvedHttpOptions } from './http-options.js';

/** A task as it is written to clients. */
export interface View {
  /** JSON of the `TaskStatus`, on one line. */
  readonly json: string;
  /** Differs whenever the JSON does: the `ETag`, and the id of an event. The same in every process. */
  readonly version: string;
  readonly final: boolean;
}

const HIDDEN = { name: 'Error', message: 'The task failed' };

/** So many failures are remembered as logged; beyond that the oldest may be logged again. */
const REMEMBERED = 1_000;

/** Makes of what the engine knows what may leave the process, and logs what may not. */
export class TaskView {
  private readonly logger = new Logger('TaskQueue');
  private readonly logged = new Set<string>();
  /** Everybody who follows a task is given the same record, one after the other: it is written out once for them all. */
  private latest: { readonly record: TaskRecord; readonly view: View } | undefined;

  constructor(private readonly options: false | Pick<ResolvedHttpOptions, 'mayShow'>) {}

  of(record: TaskRecord): View {
    if (this.latest?.record === record) return this.latest.view;
    const json = JSON.stringify(this.shown(record));
    const view: View = {
      json,
      version: createHash('sha1').update(json).digest('base64url'),
      final: isFinal(record.state),
    };
    this.latest = { record, view };
    return view;
  }

  private shown(record: TaskRecord): TaskStatus {
    const status = toStatus(record);
    const { error } = record;
    if (!error || this.mayShow(record, error)) return status;
    this.logOnce(record, error);
    return { ...status, error: HIDDEN };
  }

  private mayShow({ state }: TaskRecord, { name, message, code, exposable }: TaskFailure): boolean {
    // Why a task was cancelled or came too late is nothing its own code said.
    if (state === 'cancelled' || state === 'expired' || !this.options) return true;
    try {
      return this.options.mayShow({
        name,
        message,
        ...(code !== undefined && { code }),
        ...(exposable !== undefined && { exposable }),
      });
    } catch (error) {
      this.logger.error('http.exposeErrors failed, so the error of a task is hidden', error);
      return false;
    }
  }

  private logOnce({ id, name: task }: TaskRecord, { name, message, stack }: TaskFailure): void {
    const key = createHash('sha1').update(`${id} ${name} ${message}`).digest('base64url');
    if (this.logged.has(key)) return;
    this.logged.add(key);
    if (this.logged.size > REMEMBERED) this.logged.delete(this.logged.values().next().value as string);
    this.logger.error(`Task ${task} (${id}) failed, which clients are not told: ${name}: ${message}`, stack);
  }
}
