import type { Job, JobJson, JobState, Queue } from 'bullmq';
import type { TaskRecord } from '../../task.js';
import type { Retention } from '../../retention.js';
import { queueOfTask } from '../../task-id.js';
import type { Availability } from '../availability.js';
import { bullmq } from '../bullmq-package.cjs';
import type { Driver } from '../driver.js';
import type { FoundJob, JobRef } from '../stored-jobs.js';
import { Gatherer } from '../gatherer.js';
import { Turns } from '../turns.js';
import { parse, type JobData } from '../jobs/job-data.js';
import { readSuccess, type JobSuccess } from '../jobs/job-success.js';
import { toRecord } from '../jobs/job-to-record.js';

/** How long a worker may take to end a task that was cancelled before it started. */
const END_WITHIN = 1_000;
/** The pause before the state of a job is read again, in {@link END_WITHIN}. */
const READ_AGAIN_AFTER = 20;

/** A stored task, and the job that stores it. */
export interface FoundTask {
  readonly record: TaskRecord;
  readonly json: JobJson;
  readonly state: JobState;
}

/** Looks tasks up by id. A task whose time to live is over is not found, even while the engine still stores it. */
export class JobLookup {
  private readonly finds: Gatherer<JobRef, FoundJob | undefined>;
  private readonly counts: Turns;

  constructor(
    private readonly driver: Driver,
    private readonly availability: Availability,
    private readonly queueNamed: (name: string) => Queue,
    private readonly retention: Retention,
  ) {
    this.finds = new Gatherer(
      (jobs) => availability.withRetries('find', () => driver.jobs.find(jobs)),
      driver.lookupLimits,
    );
    this.counts = new Turns(driver.lookupLimits.atOnce);
  }

  /** @throws EngineUnavailableError when the store does not answer in time */
  async find(id: string): Promise<FoundTask | undefined> {
    const queue = queueOfTask(id);
    if (queue === undefined) return undefined;
    const found = await this.finds.call({ queue, id });
    if (!found) return undefined;
    const record = this.recordOf(id, found.json, queue, found.state);
    return record && { record, ...found };
  }

  /** The state of the job at this moment, without a second attempt. */
  async stateOf({ id, queue }: TaskRecord): Promise<JobState | undefined> {
    const [found] = await this.driver.jobs.find([{ queue, id }]);
    return found?.state;
  }

  /** The state of a job. Waits for a worker that has just taken the job in order to end it. */
  async stateAfterEnd(record: TaskRecord): Promise<JobState | undefined> {
    const giveUp = performance.now() + END_WITHIN;
    for (;;) {
      const state = await this.stateOf(record);
      if (state !== 'active' || performance.now() > giveUp) return state;
      await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_AFTER));
    }
  }

  recordOf(id: string, json: JobJson, queue: string, state: JobState): TaskRecord | undefined {
    return toRecord(id, json, queue, state, this.retention, this.driver.clock.now());
  }

  /**
   * The record of a task that succeeded, from a message to watchers; `undefined` when the message cannot be read. The
   * task has to be fetched then.
   */
  recordOfSuccess(id: string, success: JobSuccess): TaskRecord | undefined {
    const queue = queueOfTask(id);
    const json = readSuccess(success);
    return queue !== undefined && json ? this.recordOf(id, json, queue, 'completed') : undefined;
  }

  /** BullMQ's job object of a task that was found. */
  jobOf({ record, json }: FoundTask): Job<JobData> {
    const data = parse(json.data) === undefined ? '{}' : json.data;
    return bullmq.Job.fromJSON<JobData>(this.queueNamed(record.queue), { ...json, data }, record.id);
  }

  /** Makes it possible to end or remove a task that cannot be read. */
  async makeEndable({ queue, id, error }: TaskRecord): Promise<void> {
    await this.driver.jobs.makeEndable(queue, id, error?.message ?? '');
  }

  /** @throws EngineUnavailableError when the store does not answer in time */
  async countEndedMembers({ id, queue }: TaskRecord): Promise<number> {
    const counts = await this.counts.take(() =>
      this.availability.withRetries('find', () =>
        this.queueNamed(queue).getBackend().getDependencyCounts(id, ['processed', 'ignored', 'failed']),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }
}
