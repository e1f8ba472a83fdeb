import type { Job, JobJson, JobState, Queue } from 'bullmq';
import { bullmq } from '../bullmq-package.js';
import type { TaskRecord } from '../../engine.js';
import { queueOfTask } from '../../task-id.js';
import type { Availability } from '../availability.js';
import type { Retention, StoredData } from '../jobs/job-data.js';
import type { Store } from '../driver.js';
import { readSuccess, type StoredSuccess } from '../jobs/job-success.js';
import { toRecord } from '../jobs/job-to-record.js';

/** A task that is stored, and the job it is stored as. */
export interface Found {
  readonly record: TaskRecord;
  readonly json: JobJson;
}

/** Looks tasks up. One whose time is over is not there, though the engine may still store it. */
export class StoredTasks {
  constructor(
    private readonly store: Store,
    private readonly availability: Availability,
    private readonly native: (queue: string) => Queue,
    private readonly retention: Retention,
  ) {}

  async find(id: string): Promise<TaskRecord | undefined> {
    return (await this.look(id))?.record;
  }

  async look(id: string): Promise<Found | undefined> {
    const queue = queueOfTask(id);
    if (queue === undefined) return undefined;
    const found = await this.availability.ensure('find', () => this.store.find(queue, id));
    if (!found) return undefined;
    const record = this.record(id, found.json, queue, found.state);
    return record && { record, json: found.json };
  }

  /** What is stored at this very moment, without a second attempt. */
  async stateOf({ id, queue }: TaskRecord): Promise<JobState | undefined> {
    return (await this.store.find(queue, id))?.state;
  }

  record(id: string, json: JobJson, queue: string, state: JobState): TaskRecord | undefined {
    return toRecord(id, json, queue, state, this.retention, Date.now());
  }

  /** Of a task that succeeded, from what was told of it. */
  recordOf(id: string, success: StoredSuccess): TaskRecord | undefined {
    const queue = queueOfTask(id);
    return queue === undefined ? undefined : this.record(id, readSuccess(success), queue, 'completed');
  }

  /** The job of a task that was found. */
  job({ record, json }: Found): Job<StoredData> {
    return bullmq.Job.fromJSON<StoredData>(this.native(record.queue), json, record.id);
  }

  async countEnded({ id, queue }: TaskRecord): Promise<number> {
    const counts = await this.availability.ensure('find', () =>
      this.native(queue).getBackend().getDependencyCounts(id, ['processed', 'ignored', 'failed']),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }
}
