import { refuseArguments, refusePromotion, refuseUpdate } from '../../act-refusals.js';
import type { TaskEdit } from '../../ports/command-port.js';
import type { TaskRecord, TaskState } from '../../task.js';
import type { Availability } from '../availability.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { Driver } from '../driver.js';
import type { JobEdit } from '../stored-jobs.js';
import { toBullMQPriority } from '../jobs/job-data.js';
import type { FoundTask, JobLookup } from './job-lookup.js';

const PROMOTABLE: ReadonlySet<TaskState> = new Set<TaskState>(['scheduled', 'retrying']);
const UNSTARTED: ReadonlySet<TaskState> = new Set<TaskState>(['scheduled', 'queued']);

export interface TaskEditsDeps {
  readonly driver: Pick<Driver, 'jobs' | 'clock'>;
  readonly lookup: JobLookup;
  readonly feed: ChangeFeed;
  readonly availability: Availability;
}

/** Changes tasks that wait. */
export class TaskEdits {
  constructor(private readonly deps: TaskEditsDeps) {}

  /** @throws ActRefusedError */
  async promote(id: string): Promise<TaskRecord | undefined> {
    const found = await this.deps.lookup.find(id);
    if (!found) return undefined;
    if (!PROMOTABLE.has(found.record.state)) throw refusePromotion(found.record);
    const now = this.deps.driver.clock.now();
    // A task whose time has come meanwhile is not delayed any more, and that is what the caller wants.
    await this.edit(found, 'promote', { only: 'delayed', now, startAt: now });
    return (await this.deps.lookup.find(id))?.record;
  }

  /** @throws ActRefusedError */
  async update(id: string, { args, startAt, priority }: TaskEdit): Promise<TaskRecord | undefined> {
    const found = await this.deps.lookup.find(id);
    if (!found) return undefined;
    const { record, json } = found;
    if (!UNSTARTED.has(record.state)) throw refuseUpdate(record);
    if (args && json.deduplicationId) throw refuseArguments(record);
    const isChanged = await this.edit(found, 'update', {
      only: 'unstarted',
      now: this.deps.driver.clock.now(),
      ...(args && { args }),
      ...(startAt !== undefined && { startAt: Math.round(startAt) }),
      ...(priority !== undefined && { priority: toBullMQPriority(priority) }),
    });
    const after = (await this.deps.lookup.find(id))?.record;
    if (!isChanged && after) throw refuseUpdate(after);
    return after;
  }

  private async edit({ record: { queue, id } }: FoundTask, what: string, edit: JobEdit): Promise<boolean> {
    const { availability, driver, feed } = this.deps;
    const isChanged = await availability.withRetries(what, (check) => {
      check();
      return driver.jobs.edit(queue, id, edit);
    });
    if (isChanged) await feed.changedByRequest([id]);
    return isChanged;
  }
}
