import type { FlowProducer, PgPool, PostgresQueueBackend, Processor, Queue, QueueOptions, Worker } from 'bullmq';
import { inBatches } from '../../../concurrency.js';
import { bullmq } from '../bullmq-package.cjs';
import type { PoolDeadline } from '../call-deadline.js';
import type { Clock } from '../clock.js';
import { BackendQueries } from './backend-queries.js';
import { markOptions } from './mark-options.js';
import { backendFactory } from './patched-postgres-backend.js';
import { waitByOwnClock } from '../patched-backend-time.js';
import {
  CANCEL_FREE_JOBS,
  CANCEL_JOB,
  FAIL_JOB,
  RUN_AGAIN,
  EDIT_JOB,
  HOLD_KEY,
  PROMOTE_JOBS,
  REMOVE_ENDED,
  SELECT_JOBS,
  toFoundJob,
  type JobRow,
} from './job-rows.js';
import { ADD_LOG_LINES, LOG_CONFLICT, READ_LOG_LINES, type LogRow } from './job-log.js';
import { ADD_KEYED_JOBS, toFlowEntry, type KeyedRow } from './add-keyed-jobs.js';
import { ADD_PLAIN_JOBS, orderOf, toColumns, type PlainJobsRow } from './plain-jobs.js';
import { diagnosePostgres } from './diagnose-postgres.js';
import { foreignWorkersOnPostgres } from './foreign-workers.js';
import type { Finding } from '../../ports/diagnosis-port.js';
import type { ForeignWorker } from '../../ports/foreign-workers-port.js';
import { moveFailedParentFirst } from './patched-parent-first.js';
import { readReplaced, REPLACE_META, type ReplacedRow } from './replace-meta.js';
import { PostgresLists } from './postgres-lists.js';
import { patchClaims } from './patched-claims.js';
import { isAnswer, isForbidden, isOutage } from './outage.js';
import { LaneSwitch } from './lane/lane-switch.js';
import { useLane } from './lane/patched-lane.js';
import { LANE, type LaneRow } from './lane/lane-statement.js';
import type { PostgresPools } from './postgres-pools.js';
import { PostgresTables } from './postgres-tables.js';
import { PlannedStatements } from './planned-statement.js';
import { SchemaFunctions } from './schema-functions.js';
import type {
  CancelOfJob,
  Driver,
  DriverWorkerOptions,
  EndedJobs,
  EndMessages,
  FailureOfJob,
  FoundJob,
  JobEdit,
  JobLines,
  JobRef,
  LineOfJob,
  MetaChange,
  MetaPage,
  OnStored,
  UnusedToken,
} from '../driver.js';
import type { MessageBus } from '../message-bus.js';
import type { JobEntry } from '../jobs/job-data.js';
import { MOST_RUNS, unreadableOptions } from '../jobs/unreadable-job.js';
import { patchWorkerBackend } from '../patched-worker-backend.js';
import { SELECT_JOBS_AND_COMPLETIONS } from './in-transaction/completion-statements.js';
import { withCompletion, type CompletedJobRow } from './in-transaction/postgres-completions.js';
import { PostgresTransactions, TRANSACTION_FUNCTIONS } from './in-transaction/postgres-transactions.js';
import { PackageLogger } from '../../../package-logger.js';

/**
 * The driver for PostgreSQL, and for PGlite behind the interface of a pool. All queues of a process share one pool; by
 * itself, BullMQ opens one for each queue that gets a URL or options.
 */
export class PostgresDriver implements Driver {
  private readonly backendQueries: BackendQueries;
  private readonly classes: ReturnType<typeof bullmq.withBackend<PostgresQueueBackend, PgPool>>;
  private readonly errorListeners: ((error: Error) => void)[] = [];
  /**
   * Batches run on different connections, so only one is under way at a time to keep the jobs in order. A large batch
   * takes hardly longer than a small one.
   */
  readonly batchLimits = { size: 2_500, atOnce: 1, length: 4_000_000 };
  /** Few connections of the pool at a time, so that the workers of a process do not wait behind its look-ups. */
  readonly lookupLimits = { size: 200, atOnce: 2 };
  readonly namesWorkers = false;
  readonly dropsStacks = true;
  readonly deadline: PoolDeadline;
  readonly lists: PostgresLists;
  readonly tables: PostgresTables;
  readonly transactions: PostgresTransactions | undefined;
  private preparing: Promise<void> | undefined;
  private isPrepared = false;
  private readonly consumedQueues = new Set<string>();
  private readonly functions: SchemaFunctions;
  private readonly planned: PlannedStatements;
  private readonly laneSwitch = new LaneSwitch(new PackageLogger());
  private closing: Promise<void> | undefined;

  constructor(
    readonly address: string,
    private readonly pools: PostgresPools,
    private readonly schema: string,
    readonly bus: MessageBus,
    readonly clock: Clock,
    /** Whether the application may have transactions in the same database. */
    isShared = true,
    /** Whether this process may create and change the tables. */
    mayMigrate = true,
  ) {
    this.deadline = pools.deadline;
    this.functions = new SchemaFunctions({
      pool: pools.queries,
      schema,
      mayCreate: mayMigrate,
      functions: [LANE, ADD_PLAIN_JOBS, ...(isShared ? TRANSACTION_FUNCTIONS : [])],
    });
    this.planned = new PlannedStatements(pools.queries, this.functions);
    this.transactions = isShared
      ? new PostgresTransactions(pools.queries, this.functions, schema, address, bus)
      : undefined;
    this.tables = new PostgresTables({ pools, schema, address, mayMigrate });
    this.lists = new PostgresLists(
      { query: async (text, params) => markOptions(await pools.queries.query(text, params)) },
      () => this.tables.hasDelayedIndex,
    );
    this.backendQueries = new BackendQueries(pools.queries, this.report);
    const { backendQueries: queries } = this;
    this.classes = bullmq.withBackend(backendFactory({ queries, listeners: pools.listeners, clock }));
    pools.queries.on('error', this.report);
    pools.listeners.on('error', this.report);
  }

  connect(): Promise<void> | undefined {
    return this.isPrepared ? undefined : this.prepareOnce();
  }

  private prepareOnce(): Promise<void> {
    this.preparing ??= this.prepare().catch((error: unknown) => {
      this.preparing = undefined;
      throw error;
    });
    return this.preparing;
  }

  foreignWorkers(queues: readonly string[]): Promise<ForeignWorker[]> {
    return foreignWorkersOnPostgres(this.pools.queries, this.schema, queues);
  }

  diagnose(): Promise<Finding[]> {
    return diagnosePostgres(this.pools.queries, this.schema, this.address, this.tables, this.functions);
  }

  /** Checks the tables too: after an outage, another server may answer, perhaps an empty one. */
  async ping(): Promise<void> {
    this.isPrepared = false;
    this.preparing = undefined;
    await this.prepareOnce();
  }

  /** Drops the idle connections, which may be broken too. A query that takes too long ends its own connection. */
  abandon(): void {
    this.pools.dropIdle();
  }

  private async prepare(): Promise<void> {
    await this.tables.prepare();
    await this.functions.prepare();
    await this.pools.load();
    await this.transactions?.sweep();
    this.isPrepared = true;
  }

  createQueue(name: string, options: Omit<QueueOptions, 'connection' | 'prefix'> = {}): Queue {
    const queue = new this.classes.Queue(name, { ...options, connection: this.pools.queries });
    queue.on('error', this.report);
    return queue as unknown as Queue;
  }

  async addJobs(queue: Queue, jobs: readonly JobEntry[], stored: OnStored): Promise<readonly number[]> {
    if (jobs.some(({ job }) => job.deduplicationId !== undefined)) return this.addKeyed(queue, jobs, stored);
    const backend = queue.getBackend();
    const [first] = jobs;
    if (jobs.length === 1 && first) stored(0, await backend.addJob(first.job, first.jobId));
    else if (!this.laneSwitch.isOff && (await this.addPlain(queue.name, jobs)))
      jobs.forEach(({ jobId }, index) => stored(index, jobId));
    else (await backend.addJobs([...jobs])).forEach((id, index) => stored(index, id));
    return [];
  }

  /** @returns false when the tables have another version than the statement is for, so that it has stored nothing */
  private async addPlain(queue: string, jobs: readonly JobEntry[]): Promise<boolean> {
    const params = [queue, orderOf(this.schema), ...toColumns(jobs)];
    const [row] = await this.planned.run<PlainJobsRow>(ADD_PLAIN_JOBS, params);
    if (row?.fits) return true;
    this.laneSwitch.turnOff();
    return false;
  }

  private async addKeyed({ name }: Queue, jobs: readonly JobEntry[], stored: OnStored): Promise<readonly number[]> {
    const entries = JSON.stringify(jobs.map((entry) => toFlowEntry(name, entry)));
    const { rows } = await this.pools.queries.query<KeyedRow>(ADD_KEYED_JOBS, [entries]);
    for (const { place, id } of rows) if (id !== null) stored(place, id);
    return rows.flatMap(({ place, id }) => (id === null ? [place] : []));
  }

  /** The tables themselves have the names of the queues. */
  useQueues(): void {}

  createFlowProducer(): FlowProducer {
    const flows = new this.classes.FlowProducer({ connection: this.pools.queries });
    flows.on('error', this.report);
    return flows as unknown as FlowProducer;
  }

  createWorker(
    name: string,
    processor: Processor,
    { runsBatches, ...options }: DriverWorkerOptions,
    ends: EndMessages,
  ): Worker {
    this.pools.reserveListeners(this.consumedQueues.add(name));
    const worker = new this.classes.Worker(name, processor, {
      ...options,
      connection: this.pools.queries,
    }) as unknown as Worker;
    const lane = {
      runsBatches,
      laneSwitch: this.laneSwitch,
      clockDifference: () => this.clock.difference,
      isOutage: (error: unknown) => !bullmq.isNotConnectionError(error as Error),
      query: (params: readonly unknown[]) =>
        this.backendQueries.ofWorker(() => this.planned.run<LaneRow>(LANE, params)),
    };
    patchClaims(worker.getBackend() as unknown as PostgresQueueBackend, this.clock, ends);
    useLane(worker, lane, (backend) => {
      moveFailedParentFirst(patchWorkerBackend(waitByOwnClock(backend, this.clock)));
    });
    return worker;
  }

  /** One query for all jobs. */
  async find(jobs: readonly JobRef[]): Promise<(FoundJob | undefined)[]> {
    const select = this.transactions?.hasCompletions ? SELECT_JOBS_AND_COMPLETIONS : SELECT_JOBS;
    const { rows } = markOptions(
      await this.pools.queries.query<CompletedJobRow>(select, [
        jobs.map(({ queue }) => queue),
        jobs.map(({ id }) => id),
      ]),
    );
    const found = new Map(rows.map((row) => [keyOf(row), withCompletion(row)]));
    return jobs.map((job) => {
      const row = found.get(keyOf(job));
      return row && toFoundJob(row);
    });
  }

  /** One statement for all jobs, another one for those that were delayed, and one for each job that is locked. */
  async cancel({ name }: Queue, cancels: readonly CancelOfJob[]): Promise<(FoundJob | undefined)[]> {
    const { queries } = this.pools;
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
    const ended = others.length > 0 ? await this.find(others.map((id) => ({ queue: name, id }))) : [];
    return ids.map((id) => found.get(id) ?? ended[others.indexOf(id)]);
  }

  async runAgainAfterEnd(job: JobRef, again: boolean): Promise<FoundJob | undefined> {
    const { rows } = await this.pools.queries.query<JobRow>(RUN_AGAIN, [job.queue, job.id, again]);
    return rows[0] ? toFoundJob(rows[0]) : (await this.find([job]))[0];
  }

  async fail({ queue, id }: JobRef, { reruns, ...mark }: FailureOfJob): Promise<FoundJob | undefined> {
    const values = [queue, id, JSON.stringify(mark), reruns];
    const { rows } = await this.pools.queries.query<JobRow>(FAIL_JOB, values);
    return rows[0] && toFoundJob(rows[0]);
  }

  /** On PostgreSQL the options say whether the parent of a job goes on without it. */
  async makeEndable(queue: string, id: string, reason: string): Promise<void> {
    const opts = { ...unreadableOptions(reason), continueParentOnFailure: true };
    await this.pools.queries.query(MAKE_ENDABLE, [queue, id, JSON.stringify(opts), MOST_RUNS + 1]);
  }

  /** The primary key gives the fields in their order, so the last field of a page is where the next page begins. */
  async scanMeta(queue: string, cursor: string | undefined): Promise<MetaPage> {
    const { rows } = await this.pools.queries.query<{ field: string; value: string | null }>(
      'SELECT field, value FROM meta WHERE queue = $1 AND ($2::text IS NULL OR field > $2) ORDER BY field LIMIT $3',
      [queue, cursor ?? null, META_PAGE],
    );
    return {
      fields: rows.map(({ field, value }) => [field, value ?? ''] as const),
      next: rows.length < META_PAGE ? undefined : rows.at(-1)?.field,
    };
  }

  async replaceMeta(queue: string, { field, before, next }: MetaChange, fields: readonly string[]) {
    const { rows } = await this.pools.queries.query<ReplacedRow>(REPLACE_META, [queue, field, before, next, fields]);
    return readReplaced(rows, field, next, fields);
  }

  async holdKey(queue: string, key: string, id: string): Promise<string> {
    const { rows } = await this.pools.queries.query<{ job_id: string }>(HOLD_KEY, [queue, key, id]);
    return rows[0]?.job_id ?? '';
  }

  async removeEnded(queue: string, { state, before, atOnce }: EndedJobs): Promise<number> {
    const { rows } = await this.pools.queries.query(REMOVE_ENDED, [queue, state, before, atOnce]);
    return rows.length;
  }

  async returnToken(queue: string, { window, heldFor }: UnusedToken): Promise<void> {
    await this.pools.queries.query(RETURN_TOKEN, [queue, this.clock.now(), window ?? null, heldFor]);
  }

  async edit(queue: string, id: string, edit: JobEdit): Promise<boolean> {
    const { only, now, args, startAt, priority } = edit;
    const { rows } = await this.pools.queries.query(EDIT_JOB, [
      ...[queue, id, args ? JSON.stringify(args) : null, priority ?? null, startAt ?? null, now, only === 'unstarted'],
    ]);
    return rows.length > 0;
  }

  async wake(queue: string): Promise<void> {
    await this.pools.queries.query("SELECT pg_notify('bullmq_jobs', $1)", [queue]);
  }

  async shortenRateWindow(queue: string, per: number): Promise<void> {
    await this.pools.queries.query(SHORTEN_WINDOW, [queue, this.clock.now() + per]);
  }

  async limitRateWindow(queue: string, declared: number | undefined): Promise<void> {
    await this.pools.queries.query(LIMIT_WINDOW, [queue, this.clock.now(), declared ?? null]);
  }

  async endRateWindow(queue: string): Promise<void> {
    await this.pools.queries.query('DELETE FROM rate_limit WHERE queue = $1', [queue]);
  }

  /** One statement for all jobs. */
  async addLogLines(lines: readonly LineOfJob[], keep: number): Promise<void> {
    const columns = [lines.map(({ queue }) => queue), lines.map(({ id }) => id), lines.map(({ line }) => line)];
    for (let attempt = 1; ; attempt++) {
      try {
        await this.pools.queries.query(ADD_LOG_LINES, [...columns, keep]);
        return;
      } catch (error) {
        const isConflict = LOG_CONFLICT.test((error as { code?: string }).code ?? '');
        if (!isConflict || attempt === LOG_ATTEMPTS) throw error;
      }
    }
  }

  async readLogLines({ queue, id }: JobRef, after: number, limit: number): Promise<JobLines> {
    const { rows } = await this.pools.queries.query<LogRow>(READ_LOG_LINES, [queue, id, after, limit]);
    return {
      dropped: Number(rows[0]?.dropped ?? 0),
      kept: Number(rows[0]?.kept ?? 0),
      rows: rows.flatMap(({ text }) => text ?? []),
    };
  }

  isOutage(error: unknown): boolean {
    return isOutage(error);
  }

  isForbidden(error: unknown): boolean {
    return isForbidden(error);
  }

  isAnswer(error: unknown): boolean {
    return isAnswer(error);
  }

  onError(listener: (error: Error) => void): void {
    this.errorListeners.push(listener);
  }

  close(): Promise<void> {
    this.clock.close();
    this.closing ??= this.pools.close();
    return this.closing;
  }

  private readonly report = (error: Error): void => {
    if (!this.closing) for (const listener of this.errorListeners) listener(error);
  };
}

const MAKE_ENDABLE = `
UPDATE job SET opts = $3::jsonb, attempts_made = LEAST(attempts_made, $4::integer) WHERE queue = $1 AND id = $2`;

/** Jobs that another transaction has locked, and whose cancels wait for it at the same time. */
const LOCKED_AT_ONCE = 2;

/** How often lines are added before a conflict with another process is an error. */
const LOG_ATTEMPTS = 5;

/** Neither a queue's name nor an id contains this character. */
function keyOf({ queue, id }: JobRef): string {
  return `${queue}\n${id}`;
}

/** Fields of a page of metadata. */
const META_PAGE = 1_000;

/**
 * Takes one from BullMQ's count of the jobs that were started in the current window of a rate limit. A job that was taken
 * before the window began is not among them. The length of the window is that of the stored limit, else $3.
 */
const RETURN_TOKEN = `UPDATE rate_limit SET points = points - 1
  WHERE queue = $1 AND points BETWEEN 1 AND 1000000000000000 AND expire_at_ms > $2::bigint
    AND expire_at_ms + $4::bigint - $2::bigint
      <= COALESCE((SELECT value::bigint FROM meta WHERE queue = $1 AND field = 'duration'), $3::bigint)`;

const SHORTEN_WINDOW = 'UPDATE rate_limit SET expire_at_ms = $2::bigint WHERE queue = $1 AND expire_at_ms > $2::bigint';

/** BullMQ's `rateLimit()` stores a limit with so many points that none is left. Such a limit may last for any time. */
const LIMIT_WINDOW = `UPDATE rate_limit SET expire_at_ms = $2::bigint + length FROM (
    SELECT COALESCE((SELECT value::bigint FROM meta WHERE queue = $1 AND field = 'duration'), $3::bigint) AS length
  ) AS declared
  WHERE queue = $1 AND points < 1000000000000000 AND expire_at_ms > $2::bigint + length`;
