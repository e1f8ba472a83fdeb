import type {
  BackendFactory,
  FlowProducer,
  JobJson,
  JobState,
  PgPool,
  PgQueryResult,
  PostgresQueueBackend,
  Processor,
  Queue,
  QueueOptions,
  Worker,
  WorkerOptions,
} from 'bullmq';
import { bullmq } from '../bullmq-package.js';
import type { PoolDeadline } from '../call-deadline.js';
import { moveFailedParentFirst } from './patched-parent-first.js';
import type { PostgresPools } from './postgres-pools.js';
import { grantSchema, migrateSchema, needsMigration } from './postgres-schema.js';
import type { Driver, OnStored } from '../driver.js';
import type { MessageBus } from '../message-bus.js';
import type { JobEntry } from '../jobs/job-data.js';
import { patchWorkerBackend } from '../patched-worker-backend.js';

/**
 * PostgreSQL, or PGlite behind the same interface. All queues of a process share one pool, so that their number does
 * not multiply the connections.
 */
export class PostgresDriver implements Driver {
  private readonly classes: ReturnType<typeof bullmq.withBackend<PostgresQueueBackend, PgPool>>;
  private readonly errorListeners: ((error: Error) => void)[] = [];
  /** Looks jobs up in queues that have no object here, and never will: their names come from ids that anybody can send. */
  private anchor: Queue | undefined;
  /** Each on a connection of its own, so one after the other; one takes hardly longer for more. */
  readonly batchLimits = { size: 2_500, atOnce: 1 };
  readonly deadline: PoolDeadline;
  private preparing: Promise<void> | undefined;
  private readonly consumed = new Set<string>();
  private closing: Promise<void> | undefined;

  constructor(
    readonly address: string,
    private readonly pools: PostgresPools,
    private readonly schema: string,
    readonly bus: MessageBus,
  ) {
    this.deadline = pools.deadline;
    this.classes = bullmq.withBackend(this.backendFactory());
    pools.queries.on('error', this.report);
    if (pools.listeners !== pools.queries) pools.listeners.on('error', this.report);
  }

  connect(): Promise<void> {
    this.preparing ??= this.prepare().catch((error: unknown) => {
      this.preparing = undefined;
      throw error;
    });
    return this.preparing;
  }

  /** Lets a role use the tables; to be called as their owner. */
  async grant(role: string): Promise<void> {
    await grantSchema(this.pools.queries, this.schema, role);
  }

  /** Looks for the tables again: the server that is back may be another, or an empty one. */
  async ping(): Promise<void> {
    this.preparing = undefined;
    await this.connect();
  }

  /** Each query that takes too long ends its own connection. Those that wait beside it are as likely of no use. */
  abandon(): void {
    this.pools.dropIdle();
  }

  /** Once in a process. What has to be migrated may take its time, so on a connection whose queries have no limit. */
  private async prepare(): Promise<void> {
    if (!(await needsMigration(this.pools.queries, this.schema, this.address))) return;
    const client = await this.pools.listeners.connect();
    try {
      await migrateSchema(client, this.schema, this.address);
    } finally {
      client.release();
    }
  }

  createQueue(name: string, options: Omit<QueueOptions, 'connection' | 'prefix'> = {}): Queue {
    const queue = new this.classes.Queue(name, { ...options, connection: this.pools.queries });
    queue.on('error', this.report);
    return queue as unknown as Queue;
  }

  async addJobs(queue: Queue, jobs: readonly JobEntry[], stored: OnStored): Promise<void> {
    const backend = queue.getBackend();
    const [first] = jobs;
    // To store several at once takes four times as long as to store one, however many they are.
    const ids =
      jobs.length === 1 && first ? [await backend.addJob(first.job, first.jobId)] : await backend.addJobs([...jobs]);
    ids.forEach((id, index) => stored(index, id));
  }

  createFlowProducer(): FlowProducer {
    const flows = new this.classes.FlowProducer({ connection: this.pools.queries });
    flows.on('error', this.report);
    return flows as unknown as FlowProducer;
  }

  createWorker(name: string, processor: Processor, options: Omit<WorkerOptions, 'connection' | 'prefix'>): Worker {
    this.pools.checkHeld(this.consumed.add(name).size + 1);
    return new this.classes.Worker(name, processor, {
      ...options,
      connection: this.pools.queries,
    }) as unknown as Worker;
  }

  /** A job may move between the two readings, its state and all else: then they do not fit, and it is read again. */
  async find(queue: string, id: string): Promise<{ json: JobJson; state: JobState } | undefined> {
    this.anchor ??= this.createQueue('default', { skipMetasUpdate: true });
    const backend = this.anchor.getBackend().forQueue(queue);
    for (let reading = 1; ; reading++) {
      const [state, json] = await Promise.all([backend.getState(id), backend.getJobData(id)]);
      if (state === 'unknown' || !json) return undefined;
      const finished = json.finishedOn !== undefined;
      if (finished !== (state === 'completed' || state === 'failed')) continue;
      if (finished || reading === READINGS) return { json, state };
      const started = json.attemptsStarted > json.attemptsMade;
      if (state === 'active' ? started : !started || (await backend.getState(id)) === state) return { json, state };
    }
  }

  isOutage(error: unknown): boolean {
    // Not by its class: under Jest what comes from Node's core is of another.
    const { code = '', message = '' } = error as { code?: string; message?: string };
    return OUTAGE_CODE.test(code) || OUTAGE_MESSAGE.test(message);
  }

  onError(listener: (error: Error) => void): void {
    this.errorListeners.push(listener);
  }

  close(): Promise<void> {
    this.closing ??= this.pools.close();
    return this.closing;
  }

  private readonly report = (error: Error): void => {
    if (!this.closing) for (const listener of this.errorListeners) listener(error);
  };

  private backendFactory(): BackendFactory<PostgresQueueBackend, PgPool> {
    return (name, options, kind) => {
      const ofWorker = kind?.withBlockingConnection === true;
      const pool: PgPool = {
        query: (text, params) => (ofWorker ? this.queryOfWorker(text, params) : this.pools.queries.query(text, params)),
        // The only connection a backend checks out is the one it listens on, for as long as it lives.
        connect: () => this.pools.listeners.connect(),
        end: async () => undefined,
        on() {
          return this;
        },
        removeAllListeners() {
          return this;
        },
      };
      const backend = new bullmq.PostgresQueueBackend(new SharedPoolConnection(pool), name, options);
      return ofWorker ? moveFailedParentFirst(patchWorkerBackend(backend)) : backend;
    };
  }

  /**
   * BullMQ's workers wait and try again, also to store how a job ended, when an error says ECONNREFUSED; after any other
   * they give up. A server that restarts has more to say than that.
   */
  private async queryOfWorker<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    try {
      return await this.pools.queries.query<R>(text, params);
    } catch (error) {
      if (!this.isOutage(error)) throw error;
      this.report(error as Error);
      throw Object.assign(new Error((error as Error).message, { cause: error }), { code: 'ECONNREFUSED' });
    }
  }
}

/**
 * BullMQ's connection, on pools that are prepared already. BullMQ itself would look for its tables in the schema
 * `bullmq`, for a pool cannot tell it another.
 */
class SharedPoolConnection extends bullmq.PostgresConnection {
  override async waitUntilReady(): Promise<void> {}
}

/** After so many, a job that is not over is taken as it was read: it moves faster than it can be looked at. */
const READINGS = 5;

/** Connection exceptions, a server that starts or stops, too many connections; and Node's own. */
const OUTAGE_CODE =
  /^(08...|57P0[1-5]|53300|ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/;
const OUTAGE_MESSAGE =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|Query read timeout|ECONNREFUSED|the database system is/i;
