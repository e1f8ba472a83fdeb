import type { ListEntry, ListPort, ListRequest, QueueFigures } from '../../ports/list-port.js';
import type { Availability } from '../availability.js';
import type { Driver, ListedJob } from '../driver.js';
import type { JobLookup } from './job-lookup.js';

/** Reads the lists of a database, and makes records of the jobs. */
export class TaskLists implements ListPort {
  constructor(
    private readonly driver: Pick<Driver, 'lists'>,
    private readonly availability: Availability,
    private readonly lookup: JobLookup,
  ) {}

  async queueNames(): Promise<string[]> {
    return (await this.availability.withRetries('list queues', () => this.driver.lists.queueNames())).toSorted();
  }

  async list(request: ListRequest): Promise<ListEntry[]> {
    const jobs = await this.availability.withRetries('list tasks', () => this.driver.lists.list(request));
    return jobs.map((job) => this.entryOf(job));
  }

  figures(queues: readonly string[]): Promise<QueueFigures[]> {
    return this.availability.withRetries('count tasks', () => this.driver.lists.figures(queues));
  }

  private entryOf({ queue, id, found, position }: ListedJob): ListEntry {
    const record = found && this.lookup.recordOf(id, found.json, queue, found.state);
    // BullMQ's key of a parent ends with its id.
    const parent = found?.json.parentKey?.split(':').at(-1);
    return { record, parent, position };
  }
}
