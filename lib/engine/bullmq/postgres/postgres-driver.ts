import type { FlowProducer, PgPool, PostgresQueueBackend, Processor, Queue, QueueOptions, Worker } from 'bullmq';
import { PackageLogger } from '../../../package-logger.js';
import type { Finding } from '../../ports/diagnosis-port.js';
import type { ForeignWorker } from '../../ports/foreign-workers-port.js';
import { bullmq } from '../bullmq-package.cjs';
import type { PoolDeadline } from '../call-deadline.js';
import type { Clock } from '../clock.js';
import type { Driver, DriverWorkerOptions, EndMessages, OnStored } from '../driver.js';
import { IdleWorkers } from '../idle-workers.js';
import type { JobEntry } from '../jobs/job-data.js';
import type { MessageBus } from '../message-bus.js';
import { waitByOwnClock } from '../patched-backend-time.js';
import { patchWorkerBackend } from '../patched-worker-backend.js';
import { ADD_KEYED_JOBS, toFlowEntry, type KeyedRow } from './add-keyed-jobs.js';
import { BackendQueries } from './backend-queries.js';
import { diagnosePostgres } from './diagnose-postgres.js';
import { foreignWorkersOnPostgres } from './foreign-workers.js';
import { PostgresTransactions, TRANSACTION_FUNCTIONS } from './in-transaction/postgres-transactions.js';
import type { IdleWorker } from './patched-add-job.js';
import { LANE, type LaneRow } from './lane/lane-statement.js';
import { LaneSwitch } from './lane/lane-switch.js';
import { useLane } from './lane/patched-lane.js';
import { markOptions } from './mark-options.js';
import { isAnswer, isForbidden, isOutage } from './outage.js';
import { sendMessagesWithEnds } from './patched-end-messages.js';
import { moveFailedParentFirst } from './patched-parent-first.js';
import { backendFactory } from './patched-postgres-backend.js';
import { PlannedStatements } from './planned-statement.js';
import { ADD_PLAIN_JOBS, orderOf, toColumns, type PlainJobsRow } from './plain-jobs.js';
import { PostgresJobs } from './postgres-jobs.js';
import { PostgresLists } from './postgres-lists.js';
import { PostgresLogs } from './postgres-logs.js';
import { PostgresMetadata } from './postgres-metadata.js';
import type { PostgresPools } from './postgres-pools.js';
import { PostgresRateWindows } from './postgres-rate-windows.js';
import { PostgresTables } from './postgres-tables.js';
import { SchemaFunctions } from './schema-functions.js';

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
  readonly jobs: PostgresJobs;
  readonly logs: PostgresLogs;
  readonly metadata: PostgresMetadata;
  readonly rateWindows: PostgresRateWindows;
  readonly lists: PostgresLists;
  readonly tables: PostgresTables;
  readonly transactions: PostgresTransactions | undefined;
  private preparing: Promise<void> | undefined;
  private isPrepared = false;
  private readonly consumedQueues = new Set<string>();
  private readonly functions: SchemaFunctions;
  private readonly planned: PlannedStatements;
  private readonly idle = new IdleWorkers<IdleWorker>();
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
    const { queries, listeners } = pools;
    this.deadline = pools.deadline;
    this.functions = new SchemaFunctions({
      pool: queries,
      schema,
      mayCreate: mayMigrate,
      functions: [LANE, ADD_PLAIN_JOBS, ...(isShared ? TRANSACTION_FUNCTIONS : [])],
    });
    this.planned = new PlannedStatements(queries, this.functions);
    this.transactions = isShared ? new PostgresTransactions(queries, this.functions, schema, address, bus) : undefined;
    this.tables = new PostgresTables({ pools, schema, address, mayMigrate });
    this.jobs = new PostgresJobs(queries, () => this.transactions?.hasCompletions === true);
    this.logs = new PostgresLogs(queries);
    this.metadata = new PostgresMetadata(queries);
    this.rateWindows = new PostgresRateWindows(queries, clock);
    this.lists = new PostgresLists(
      { query: async (text, params) => markOptions(await queries.query(text, params)) },
      () => this.tables.hasDelayedIndex,
    );
    this.backendQueries = new BackendQueries(queries, this.report);
    const taking = {
      idle: this.idle,
      clock,
      laneSwitch: this.laneSwitch,
      query: queries.query.bind(queries),
      outageOfWorker: (error: unknown) => this.backendQueries.throwToWorker(error),
    };
    this.classes = bullmq.withBackend(backendFactory({ queries: this.backendQueries, listeners, clock, taking }));
    queries.on('error', this.report);
    listeners.on('error', this.report);
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
      ...{ runsBatches, ends },
      idle: this.idle,
      laneSwitch: this.laneSwitch,
      isPlanned: () => this.functions.has(LANE),
      clockDifference: () => this.clock.difference,
      isOutage: (error: unknown) => !bullmq.isNotConnectionError(error as Error),
      query: (params: readonly unknown[]) =>
        this.backendQueries.ofWorker(() => this.planned.run<LaneRow>(LANE, params)),
    };
    sendMessagesWithEnds(worker.getBackend() as unknown as PostgresQueueBackend, this.clock, ends);
    useLane(worker, lane, (backend) => {
      moveFailedParentFirst(patchWorkerBackend(waitByOwnClock(backend, this.clock)));
    });
    return worker;
  }

  async wake(queue: string): Promise<void> {
    await this.pools.queries.query("SELECT pg_notify('bullmq_jobs', $1)", [queue]);
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
