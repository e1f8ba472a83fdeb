import type { Job } from 'bullmq';
import type { Interruption } from '../../interruption.js';
import type { Json } from '../../json.js';
import type { Completion, Delivery } from '../../ports/worker-port.js';
import type { MemberFlows } from '../operations/member-flows.js';
import { lastMark } from '../jobs/job-attempts.js';
import { readHeaders, readOptions, type JobData } from '../jobs/job-data.js';

/** What a running task can store or ask beside its outcome. */
export interface DeliveryCalls {
  readonly flows: MemberFlows;
  readonly progress: (value: Json) => Promise<void>;
  readonly log: Delivery['log'];
  readonly started: () => void;
  readonly mark: (text: string) => void;
  readonly completion: Completion | undefined;
}

/** The delivery of a job that BullMQ's worker took. @param data `undefined` when the job is not a task */
export function toDelivery(
  job: Job,
  queue: string,
  data: JobData | undefined,
  interruption: Interruption,
  { flows, progress, log, started, mark, completion }: DeliveryCalls,
): Delivery {
  const id = job.id as string;
  const members = flows.membersOf(job, data?.members ?? []);
  return {
    id,
    name: job.name,
    queue,
    args: data?.args,
    ...(data?.headers === undefined && { data: job.data as Json }),
    headers: readHeaders(data),
    options: readOptions(job.opts),
    attempt: job.attemptsMade + 1 + (data?.note?.tried ?? 0),
    starts: job.attemptsStarted - (data?.looks ?? 0),
    returns: returnsOf(job, data),
    abandoned: job.stalledCounter - (data?.rerun?.abandoned ?? 0),
    reruns: data?.rerun?.count ?? 0,
    enqueuedAt: job.timestamp,
    ...(data?.note !== undefined && { note: data.note }),
    root: data?.root ?? id,
    memberCount: data?.members?.reduce((sum, { count }) => sum + count, 0) ?? 0,
    members: () => members.results(),
    failedMember: (count) => members.firstFailed(count),
    started,
    mark,
    markBefore: () => lastMark(job),
    interruption,
    progress,
    log,
    ...(completion && { completion }),
  };
}

/** Workers of version 0.1.0 count only the start of a job that they give back. */
function returnsOf({ attemptsStarted, attemptsMade }: Job, { looks = 0, returns = 0 }: Partial<JobData> = {}): number {
  return returns + Math.max(attemptsStarted - looks - attemptsMade - 1, 0);
}
