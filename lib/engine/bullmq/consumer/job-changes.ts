import type { Job, JobJson, JobState } from 'bullmq';
import type { TaskChangeType } from '../../ports/event-port.js';
import type { Retention } from '../../retention.js';
import { isFinal, type TaskRecord } from '../../task.js';
import type { TaskChanges } from '../../task-changes.js';
import type { FoundJob } from '../stored-jobs.js';
import { parse, readData } from '../jobs/job-data.js';
import { jsonOfRun } from '../jobs/job-of-run.js';
import { toRecord } from '../jobs/job-to-record.js';
import type { JobLookup } from '../operations/job-lookup.js';

export interface JobChangesDeps {
  readonly changes: TaskChanges;
  readonly lookup: Pick<JobLookup, 'find'>;
  readonly retention: Retention;
  readonly now: () => number;
}

/** Tells the listeners what the worker of one queue has stored. It reads nothing from the store that the worker does not have. */
export class JobChanges {
  constructor(
    private readonly queue: string,
    private readonly deps: JobChangesDeps,
  ) {}

  /** The method of the task is about to be called. */
  started(job: Job): void {
    if (this.deps.changes.wants('started')) this.emit('started', jsonOfRun(job), 'active');
  }

  /** The attempt ended, or the task was given back after its method had been called, and the task runs again. */
  retrying(job: Job): void {
    if (this.deps.changes.wants('retrying')) this.emit('retrying', jsonOfRun(job), 'delayed');
  }

  succeeded(job: Job, result: unknown): void {
    if (this.deps.changes.wants('succeeded')) this.emit('succeeded', jsonOfRun(job, result), 'completed');
  }

  /** The task is final, and did not succeed. */
  ended(job: Job): void {
    const { changes } = this.deps;
    if (changes.wants('failed') || changes.wants('cancelled') || changes.wants('expired'))
      this.emitEnd(jsonOfRun(job), 'failed');
  }

  /** The end of an attempt is stored, although this process did not get the answer. */
  foundEnd(id: string, { json: found, state }: FoundJob): void {
    const json = { ...found, id };
    if (state === 'completed' || state === 'failed') this.emitEnd(json, state);
    else if (this.deps.changes.wants('retrying')) this.emit('retrying', json, state);
  }

  /** A worker gave no sign of life, and this process took its task away. */
  async lost(id: string): Promise<void> {
    const { changes, lookup, now } = this.deps;
    if (!changes.wants('lost')) return;
    // BullMQ names only the job, so this rare change alone costs a look-up. An outage must not disturb the worker.
    const found = await lookup.find(id).catch(() => undefined);
    if (!found) return;
    const { record, json } = found;
    // The number of the lost attempt, which does not count: the record names the attempt after it once that runs.
    const attempt = record.state === 'running' ? record.attempt : record.attempt + 1;
    changes.emit({ type: 'lost', record: { ...record, attempt }, dueAt: dueAtOf(json), at: now() });
  }

  private emitEnd(json: JobJson, jobState: JobState): void {
    const record = this.recordOf(json, jobState);
    if (!record || !isFinal(record.state)) return;
    // The process of the caller told its listeners when it cancelled a task that did not run.
    if (record.state === 'cancelled' && readData(parse(json.data))?.cancelled?.running === false) return;
    this.emitRecord(record.state as TaskChangeType, record, json);
  }

  private emit(type: TaskChangeType, json: JobJson, jobState: JobState): void {
    const record = this.recordOf(json, jobState);
    if (record) this.emitRecord(type, record, json);
  }

  private emitRecord(type: TaskChangeType, record: TaskRecord, json: JobJson): void {
    const { changes, now } = this.deps;
    changes.emit({ type, record, dueAt: dueAtOf(json), at: record.finishedAt ?? now() });
  }

  private recordOf(json: JobJson, jobState: JobState): TaskRecord | undefined {
    const { retention, now } = this.deps;
    // A record whose time to live is very short is over when it is read. The task has ended nevertheless.
    const at = json.finishedOn === undefined ? now() : json.finishedOn - 1;
    return toRecord(json.id, json, this.queue, jobState, retention, at);
  }
}

function dueAtOf({ timestamp, opts }: JobJson): number {
  return timestamp + (opts.delay ?? 0);
}
