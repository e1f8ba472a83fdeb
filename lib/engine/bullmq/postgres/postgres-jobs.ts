import type { PgQueryable, Queue } from 'bullmq';
import { inBatches } from '../../../concurrency.js';
import type { JobData } from '../jobs/job-data.js';
import { MOST_RUNS, unreadableOptions } from '../jobs/unreadable-job.js';
import type { CancelOfJob, EndedJobs, FailureOfJob, FoundJob, JobEdit, JobRef, StoredJobs } from '../stored-jobs.js';
import { inBytes, type BoundedRow } from './bytes-of-jobs.js';
import { SELECT_JOBS_AND_COMPLETIONS } from './in-transaction/completion-statements.js';
import { withCompletion, type CompletedJobRow } from './in-transaction/postgres-completions.js';
import {
  BEGIN_AGAIN,
  CANCEL_FREE_JOBS,
  CANCEL_JOB,
  EDIT_JOB,
  FAIL_JOB,
  HOLD_KEY,
  MAKE_ENDABLE,
  PROMOTE_JOBS,
  REMOVE_ENDED,
  RUN_AGAIN,
  SELECT_JOBS,
  toFoundJob,
  type JobRow,
} from './job-rows.js';
import { markOptions } from './mark-options.js';

const WITHOUT = [SELECT_JOBS, inBytes(SELECT_JOBS)] as const;
const WITH_COMPLETIONS = [
  SELECT_JOBS_AND_COMPLETIONS,
  inBytes(SELECT_JOBS_AND_COMPLETIONS, 'completion_result'),
] as const;

/** A row of a look-up. A bigint is a text. */
interface FoundRow extends CompletedJobRow, Partial<BoundedRow> {
  /** The place of the job among those that were looked up, from 1 on. */
  readonly place: string;
}

/** Jobs that another transaction has locked, and whose cancels wait for it at the same time. */
const LOCKED_AT_ONCE = 2;

/** Looks up and changes jobs on PostgreSQL. */
export class PostgresJobs implements StoredJobs {
  /** @param hasCompletions whether successes may be stored in transactions of the application */
  constructor(
    private readonly queries: PgQueryable,
    private readonly hasCompletions: () => boolean,
  ) {}

  /** One query for all jobs. */
  async find(jobs: readonly JobRef[]): Promise<(FoundJob | undefined)[]> {
    const [alone, bounded] = this.hasCompletions() ? WITH_COMPLETIONS : WITHOUT;
    // Most look-ups are for one job.
    const { rows } = markOptions(
      await this.queries.query<FoundRow>(jobs.length === 1 ? alone : bounded, [
        jobs.map(({ queue }) => queue),
        jobs.map(({ id }) => id),
      ]),
    );
    const found = new Map(rows.map((row) => [keyOf(row), withCompletion(row)]));
    const last = rows.at(-1);
    const isCut = last !== undefined && Number(last.of ?? rows.length) > rows.length;
    return jobs.slice(0, isCut ? Number(last.place) : jobs.length).map((job) => {
      const row = found.get(keyOf(job));
      return row && toFoundJob(row);
    });
  }

  /** One statement for all jobs, another one for those that were delayed, and one for each job that is locked. */
  async cancel({ name }: Queue, cancels: readonly CancelOfJob[]): Promise<(FoundJob | undefined)[]> {
    const { queries } = this;
    const marks = JSON.stringify(Object.fromEntries(cancels.map(({ id, at, reason, by }) => [id, { at, reason, by }])));
    const ids = cancels.map(({ id }) => id);
    const { rows } = await queries.query<JobRow>(CANCEL_FREE_JOBS, [name, ids, marks]);
    const found = new Map(rows.map((row) => [row.id, toFoundJob(row)]));
    const delayed = rows.filter(({ state }) => state === 'delayed').map(({ id }) => id);
    if (delayed.length > 0) await queries.query(PROMOTE_JOBS, [name, delayed]);
    const left = ids.filter((id) => !found.has(id));
    const locked = await inBatches(left, LOCKED_AT_ONCE, (id) =>
      queries.query<JobRow>(CANCEL_JOB, [name, [id], marks]),
    );
    for (const row of locked.flatMap((result) => result.rows)) found.set(row.id, toFoundJob(row));
    // The others have ended, have a mark, or do not exist.
    const others = left.filter((id) => !found.has(id));
    const ended = await this.findAll(others.map((id) => ({ queue: name, id })));
    return ids.map((id) => found.get(id) ?? ended[others.indexOf(id)]);
  }

  async runAgainAfterEnd(job: JobRef, again: boolean): Promise<FoundJob | undefined> {
    const { rows } = await this.queries.query<JobRow>(RUN_AGAIN, [job.queue, job.id, again]);
    return rows[0] ? toFoundJob(rows[0]) : (await this.find([job]))[0];
  }

  async beginAgain({ queue, id }: JobRef, data: JobData): Promise<boolean> {
    const { rows } = await this.queries.query(BEGIN_AGAIN, [queue, id, JSON.stringify(data)]);
    return rows.length > 0;
  }

  async fail({ queue, id }: JobRef, { reruns, ...mark }: FailureOfJob): Promise<FoundJob | undefined> {
    const values = [queue, id, JSON.stringify(mark), reruns];
    const { rows } = await this.queries.query<JobRow>(FAIL_JOB, values);
    return rows[0] && toFoundJob(rows[0]);
  }

  /** On PostgreSQL the options say whether the parent of a job goes on without it. */
  async makeEndable(queue: string, id: string, reason: string): Promise<void> {
    const opts = { ...unreadableOptions(reason), continueParentOnFailure: true };
    await this.queries.query(MAKE_ENDABLE, [queue, id, JSON.stringify(opts), MOST_RUNS + 1]);
  }

  async holdKey(queue: string, key: string, id: string): Promise<string> {
    const { rows } = await this.queries.query<{ job_id: string }>(HOLD_KEY, [queue, key, id]);
    return rows[0]?.job_id ?? '';
  }

  async removeEnded(queue: string, { state, before, atOnce }: EndedJobs): Promise<number> {
    const { rows } = await this.queries.query(REMOVE_ENDED, [queue, state, before, atOnce]);
    return rows.length;
  }

  async edit(queue: string, id: string, edit: JobEdit): Promise<boolean> {
    const { only, now, args, startAt, priority } = edit;
    const { rows } = await this.queries.query(EDIT_JOB, [
      ...[queue, id, args ? JSON.stringify(args) : null, priority ?? null, startAt ?? null, now, only === 'unstarted'],
    ]);
    return rows.length > 0;
  }

  private async findAll(jobs: readonly JobRef[]): Promise<(FoundJob | undefined)[]> {
    const found: (FoundJob | undefined)[] = [];
    while (found.length < jobs.length) found.push(...(await this.find(jobs.slice(found.length))));
    return found;
  }
}

/** Neither a queue's name nor an id contains this character. */
function keyOf({ queue, id }: JobRef): string {
  return `${queue}\n${id}`;
}
