import type { JobJson } from 'bullmq';
import type { Json } from '../../json.js';
import type { ListEntry, ListPort, ListRequest, QueueFigures, StoredCall } from '../../ports/list-port.js';
import type { Availability } from '../availability.js';
import type { Driver, ListedJob } from '../driver.js';
import { parse, readData, readOptions } from '../jobs/job-data.js';
import { whyUnreadable } from '../jobs/job-to-record.js';
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
    const entries: ListEntry[] = [];
    // Each part has the time of a call: a list of large tasks may take longer.
    for (let { after } = request; ; after = entries.at(-1)?.position) {
      const part = { ...request, after, count: request.count - entries.length };
      const { jobs, isCut } = await this.availability.withRetries('list tasks', () => this.driver.lists.list(part));
      entries.push(...jobs.map((job) => this.entryOf(job)));
      if (!isCut) return entries;
    }
  }

  figures(queues: readonly string[]): Promise<QueueFigures[]> {
    return this.availability.withRetries('count tasks', () => this.driver.lists.figures(queues));
  }

  countQueued(queue: string, most: number): Promise<number> {
    return this.availability.withRetries('count tasks', () => this.driver.lists.countQueued(queue, most));
  }

  async details(id: string): Promise<StoredCall | undefined> {
    const found = await this.lookup.find(id);
    if (!found) return undefined;
    const { record, json } = found;
    const args = argsOf(json);
    const { delay } = json.opts;
    return {
      record,
      args: args ?? [],
      options: args ? { ...readOptions(json.opts), ...(delay && { startAt: json.timestamp + delay }) } : {},
      parent: parentOf(json),
    };
  }

  private entryOf({ queue, id, found, position, time }: ListedJob): ListEntry {
    const record = found && this.lookup.recordOf(id, found.json, queue, found.state);
    const args = () => (found && argsOf(found.json)) ?? [];
    return { record, parent: found && parentOf(found.json), args, position, time };
  }
}

/** `undefined` when the job cannot be read. */
function argsOf(json: JobJson): readonly Json[] | undefined {
  const data = parse(json.data);
  return whyUnreadable(json, data, 'waiting') === undefined ? (readData(data)?.args ?? []) : undefined;
}

/** BullMQ's key of a parent ends with its id. */
function parentOf({ parentKey }: JobJson): string | undefined {
  return parentKey?.split(':').at(-1);
}
