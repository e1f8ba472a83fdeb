import type { Job } from 'bullmq';
import { removedMember, unreadable } from '../../failures.js';
import type { Json } from '../../json.js';
import type { FailedMemberResult } from '../../ports/worker-port.js';
import type { MemberRange, MemberResult } from '../../task.js';
import { memberIds, queueOfTask } from '../../task-id.js';
import type { Driver } from '../driver.js';
import type { FoundJob, JobRef, StoredJobs } from '../stored-jobs.js';
import { parse, readData } from '../jobs/job-data.js';
import { readFailure } from '../jobs/job-failure.js';
import { whyUnreadable } from '../jobs/job-to-record.js';
import { runsAgain } from '../jobs/run-again.js';
import { FORMAT, formatOf, UNKNOWN_NAME } from '../jobs/unreadable-job.js';

/** Members that are read in one round trip. */
const FETCH_AT_ONCE = 100;

/** What BullMQ keeps with a parent of its children: the results and the messages of failures, by id. */
interface Children {
  readonly values: ReadonlyMap<string, Json>;
  readonly failed: ReadonlySet<string>;
  readonly unfinished: ReadonlySet<string>;
}

/** Reads the results of the members of one job. BullMQ keeps those of successes with the parent. */
export class MemberReader {
  private ids: readonly string[] | undefined;
  private children: Promise<Children> | undefined;

  constructor(
    private readonly driver: Pick<Driver, 'jobs' | 'isOutage' | 'clock'>,
    private readonly job: Pick<Job, 'id' | 'getDependencies'>,
    private readonly ranges: readonly MemberRange[],
  ) {}

  /** The results of all members so far, in order. */
  async results(): Promise<MemberResult[]> {
    const { values } = await this.readChildren();
    const ids = this.memberIds();
    const fetched = await this.fetch(ids.filter((id) => !values.has(id)));
    return ids.map((id) => fetched.get(id) ?? { id, state: 'succeeded', value: values.get(id) as Json });
  }

  /** See `Delivery.failedMember`. */
  async firstFailed(count: number): Promise<FailedMemberResult | undefined> {
    const { failed, unfinished } = await this.readChildren();
    if (failed.size === 0) return undefined;
    for (const [place, id] of this.memberIds().slice(0, count).entries()) {
      if (!failed.has(id)) continue;
      const member = (await this.fetch([id])).get(id);
      // A caller may have run the member again since.
      if (member?.state === 'failed') {
        return { place, member, unfinished: this.memberIds().filter((other) => unfinished.has(other)) };
      }
    }
    return undefined;
  }

  private async fetch(ids: readonly string[]): Promise<Map<string, MemberResult>> {
    const found = await fetchJobs(
      this.driver.jobs,
      ids.map((id) => ({ queue: queueOfTask(id) as string, id })),
    );
    const now = this.driver.clock.now();
    return new Map(ids.map((id, index) => [id, resultOf(id, found[index], now)]));
  }

  private memberIds(): readonly string[] {
    this.ids ??= memberIds(this.job.id as string, this.ranges);
    return this.ids;
  }

  /** One call for all members. When a result there is not JSON, all are read from the members instead. */
  private readChildren(): Promise<Children> {
    this.children ??= this.job.getDependencies().then(
      ({ processed = {}, ignored = {}, failed = [], unprocessed = [] }) => ({
        values: new Map(Object.entries(processed).map(([key, value]) => [idOf(key), (value ?? null) as Json])),
        failed: new Set([...Object.keys(ignored), ...failed].map(idOf)),
        unfinished: new Set(unprocessed.map(idOf)),
      }),
      (error: unknown) => {
        if (this.driver.isOutage(error)) throw error;
        return { values: new Map(), failed: new Set(), unfinished: new Set() };
      },
    );
    return this.children;
  }
}

/** Reads jobs in round trips of a limited size, in order. */
export async function fetchJobs(
  stored: Pick<StoredJobs, 'find'>,
  jobs: readonly JobRef[],
): Promise<(FoundJob | undefined)[]> {
  const found: (FoundJob | undefined)[] = [];
  for (let start = 0; start < jobs.length; start += FETCH_AT_ONCE) {
    found.push(...(await stored.find(jobs.slice(start, start + FETCH_AT_ONCE))));
  }
  return found;
}

function resultOf(id: string, found: FoundJob | undefined, now: number): MemberResult {
  if (!found) return { id, state: 'failed', task: 'that was removed', failure: removedMember(id) };
  const { json, state } = found;
  const data = parse(json.data);
  const reason = whyUnreadable(json, data, state);
  if (reason !== undefined && formatOf(data) <= FORMAT)
    return { id, state: 'failed', task: json.name || UNKNOWN_NAME, failure: unreadable(reason) };
  if (state === 'completed') return { id, state: 'succeeded', value: (parse(json.returnvalue) ?? null) as Json };
  if (state === 'failed' && !runsAgain(json, readData(data), now))
    return { id, state: 'failed', task: json.name, failure: readFailure(json) };
  return { id, state: 'unfinished' };
}

/** BullMQ's key of a child ends with its id. */
function idOf(key: string): string {
  return key.slice(key.lastIndexOf(':') + 1);
}
