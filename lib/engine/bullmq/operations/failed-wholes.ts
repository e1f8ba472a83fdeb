import { failureDuty } from '../../duty-task.js';
import type { FailureOfWhole } from '../../ports/command-port.js';
import type { Topology } from '../../shards/topology.js';
import type { TaskCounter } from '../../statistics/task-counter.js';
import type { TaskChanges } from '../../task-changes.js';
import type { Receipt, TaskCall, TaskRecord } from '../../task.js';
import { queueOfTask } from '../../task-id.js';
import type { Availability } from '../availability.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { Driver } from '../driver.js';
import type { JobLookup } from './job-lookup.js';

export interface FailedWholesDeps {
  readonly driver: Driver;
  readonly availability: Availability;
  readonly lookup: JobLookup;
  readonly feed: ChangeFeed;
  readonly changes: TaskChanges;
  readonly counter: Pick<TaskCounter, 'count'> | undefined;
  readonly enqueue: (calls: readonly TaskCall[]) => Promise<Receipt[]>;
  readonly topology: Topology;
}

/**
 * Fails tasks whose members failed, while no worker takes them: their queue is paused, has no worker, or is full.
 *
 * BullMQ only queues such a task, and the worker that takes it stores the failure. So a mark in the data of the job
 * (`StoredJobs.fail`) says that the task has failed, and every reader reports it from then on. The worker that takes the job
 * clears it away, and tells nobody a second time. Version 0.1.0 does not know the mark: its workers read the members and
 * come to the same failure, and its readers report it then.
 */
export class FailedWholes {
  constructor(private readonly deps: FailedWholesDeps) {}

  /**
   * Called before the end of a member is stored that does not succeed. It leaves a duty behind, which fails the tasks that wait for the
   * member. Without it they would fail later, so an outage is no error.
   */
  async expect(member: Pick<TaskRecord, 'id' | 'whole' | 'reruns'>): Promise<void> {
    const { driver, topology } = this.deps;
    const duty = failureDuty(member, driver.clock.now(), topology);
    if (duty) await this.deps.enqueue([duty]).catch(() => undefined);
  }

  /** See `CommandPort.failWhole`. */
  async fail(id: string, { failure, reruns }: FailureOfWhole): Promise<boolean> {
    const { driver, availability, lookup, feed } = this.deps;
    const queue = queueOfTask(id);
    if (queue === undefined) return false;
    const { stack: _stack, ...rest } = failure;
    const mark = { at: driver.clock.now(), failure: rest, reruns };
    const found = await availability.withRetries('fail', () => driver.jobs.fail({ queue, id }, mark));
    const record = found && lookup.recordOf(id, found.json, queue, found.state);
    if (!record) return found !== undefined;
    this.tell(record, mark.at);
    await feed.changedByRequest(record.root === undefined ? [id] : [id, record.root]);
    return true;
  }

  private tell(record: TaskRecord, at: number): void {
    const { changes, counter } = this.deps;
    counter?.count('failed', record.queue, record.name, at);
    changes.emit({ type: 'failed', record, dueAt: record.enqueuedAt, at });
  }
}
