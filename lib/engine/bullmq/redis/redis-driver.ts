import type {
  FlowProducer,
  IQueueBackend,
  JobJson,
  JobState,
  Processor,
  Queue,
  QueueOptions,
  Worker,
  WorkerOptions,
} from 'bullmq';
import { bullmq } from '../bullmq-package.cjs';
import { CallDeadline } from '../call-deadline.js';
import { createBackend, withBareCopies } from './patched-redis-backend.js';
import { RedisBus } from './redis-bus.js';
import { resetSocket } from '../reset-socket.js';
import { openWorkerCopy, WORKER_SILENCE_LIMIT, type RedisClient } from './client-options.js';
import { asConfigurationError, endClient, ignore, isOutage, isUsable, nextAttempt } from './redis-client.js';
import { cutWhenSilent } from './silence-watchdog.js';
import { patchHashReplies } from './patched-hash-replies.js';
import { patchSendCommand } from './patched-send-command.js';
import type { Driver, OnStored } from '../driver.js';
import type { MessageBus } from '../message-bus.js';
import type { JobEntry } from '../jobs/job-data.js';

const redis = bullmq.withBackend(createBackend);

/**
 * The driver for Redis and Valkey. It opens one connection for commands and one for all workers; BullMQ adds one for
 * each worker, on which the worker waits for jobs.
 */
export class RedisDriver implements Driver {
  readonly bus: MessageBus;
  /**
   * Batches on one connection stay in order without waiting for answers. They are small, so that Redis works on some of
   * them while this process makes others, and answers some callers while it works on the jobs of other callers.
   */
  readonly batchLimits = { size: 40, atOnce: 25 };
  readonly deadline = new CallDeadline();
  private readonly copies: RedisClient[] = [];
  private readonly listeners: ((error: Error) => void)[] = [];
  private connecting: Promise<void> | undefined;
  private workerClient: RedisClient | undefined;
  /**
   * Makes the backends that look jobs up. A look-up must not create a `Queue` object for each queue: the names come
   * from ids, and any client can send any id.
   */
  private lookupQueue: Queue | undefined;
  private readonly usedQueues = new Set<string>();
  /** Backends of used queues. Making a backend takes longer than a look-up. */
  private readonly backends = new Map<string, IQueueBackend>();
  private closing = false;

  /**
   * @param commands a client with the options of `client-options.ts`, or the application's own
   * @param ownsCommands whether `close` closes `commands` too
   */
  constructor(
    readonly address: string,
    private readonly commands: RedisClient,
    private readonly ownsCommands: boolean,
    private readonly prefix: string,
  ) {
    commands.on('error', this.report);
    this.bus = new RedisBus(
      prefix,
      commands,
      () => this.workerClient,
      () => this.openCopy(),
    );
  }

  async connect(): Promise<void> {
    if (isUsable(this.commands)) return;
    if (this.closing) throw new Error('Connection is closed.');
    if (!this.ownsCommands && this.commands.status === 'end')
      throw new Error('Connection is closed. The application closed its client.');
    // All callers share one attempt to connect.
    this.connecting ??= nextAttempt(this.commands).finally(() => (this.connecting = undefined));
    try {
      await this.connecting;
    } catch (error) {
      throw asConfigurationError(error, this.address) ?? error;
    }
  }

  async ping(): Promise<void> {
    await this.connect();
    await this.commands.ping();
  }

  abandon(): void {
    // The application's client may be busy with commands of the application, and a cluster has many connections.
    if (!this.ownsCommands || 'nodes' in this.commands) return;
    // A connection that is being made carries no command yet. On an open connection Redis answers in order, so answers
    // that came meanwhile belong to earlier calls. Redis must not run this call later: its caller has got an error.
    if (!isUsable(this.commands)) return;
    resetSocket(this.commands.stream);
  }

  createQueue(name: string, options: Omit<QueueOptions, 'connection' | 'prefix'> = {}): Queue {
    // BullMQ waits for a client that is connecting already. Otherwise BullMQ connects it, and a queue whose first
    // attempt fails stays broken.
    if (this.commands.status === 'wait') this.commands.connect().catch(ignore);
    this.usedQueues.add(name);
    const queue = new redis.Queue(name, { ...options, connection: this.commands, prefix: this.prefix });
    queue.on('error', this.report);
    return queue;
  }

  /**
   * Sends each job as a command of its own, all in one packet. BullMQ's `addJobs` sends them in a pipeline. For each
   * pipeline ioredis makes the methods of BullMQ's fifty scripts anew, and no caller gets an answer before all answers
   * are there.
   */
  async addJobs(queue: Queue, jobs: readonly JobEntry[], stored: OnStored): Promise<void> {
    const backend = queue.getBackend();
    const client = await backend.client;
    // A cluster has a connection for each node and chooses one by itself.
    const stream = 'nodes' in this.commands ? undefined : this.commands.stream;
    stream?.cork();
    const sent = jobs.map(async ({ job, jobId }, index) => {
      stored(index, await backend.addJobToTransaction(client, job, jobId));
    });
    stream?.uncork();
    await Promise.all(sent);
  }

  createFlowProducer(): FlowProducer {
    const flows = new redis.FlowProducer({ connection: this.commands, prefix: this.prefix });
    flows.on('error', this.report);
    return flows;
  }

  createWorker(name: string, processor: Processor, options: Omit<WorkerOptions, 'connection' | 'prefix'>): Worker {
    this.workerClient ??= withBareCopies(patchSendCommand(this.openCopy()));
    return new redis.Worker(name, processor, {
      ...options,
      connection: this.workerClient,
      prefix: this.prefix,
    });
  }

  /**
   * Finds the state of a job from the job's own fields and its lock, in constant time. BullMQ's `getState` searches
   * lists instead, which takes longer the longer the queue is. For a job that has ended the fields are enough, so the
   * look-up is one command. A job without a lock may have ended after its fields were read, so they are read again
   * until two readings agree.
   */
  async find(queue: string, id: string): Promise<{ json: JobJson; state: JobState } | undefined> {
    const backend = this.backends.get(queue) ?? (await this.openBackend(queue));
    const key = backend.toKey(id);
    let known: JobJson | undefined;
    for (;;) {
      const json = await backend.getJobData(id);
      if (!json) return undefined;
      if (json.finishedOn) return { json, state: json.returnvalue === undefined ? 'failed' : 'completed' };
      const [locked, blocked] = await Promise.all([
        this.commands.exists(`${key}:lock`),
        this.commands.exists(`${key}:dependencies`),
      ]);
      // BullMQ removes `delay` as soon as the job is no longer delayed.
      const mayHaveEnded = json.attemptsStarted > 0 && !json.delay;
      if (locked || !mayHaveEnded || (known && isSame(known, json))) {
        return { json, state: stateOf(json, locked === 1, blocked === 1) };
      }
      known = json;
    }
  }

  private async openBackend(queue: string): Promise<IQueueBackend> {
    const backend = (await this.readyLookupQueue()).getBackend().forQueue(queue);
    if (this.usedQueues.has(queue)) this.backends.set(queue, backend);
    return backend;
  }

  private async readyLookupQueue(): Promise<Queue> {
    const queue = (this.lookupQueue ??= this.createQueue('default', { skipMetasUpdate: true }));
    try {
      await queue.waitUntilReady();
      return queue;
    } catch (error) {
      // A queue whose connection failed at its start stays broken; the next look-up makes another.
      this.lookupQueue = undefined;
      this.backends.clear();
      throw error;
    }
  }

  isOutage(error: unknown): boolean {
    return isOutage(error);
  }

  onError(listener: (error: Error) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    await this.lookupQueue?.close().catch(ignore);
    for (const client of this.copies) endClient(client);
    if (this.ownsCommands) endClient(this.commands);
    this.commands.off('error', this.report);
  }

  private readonly report = (error: Error): void => {
    if (this.closing) return;
    const reported = asConfigurationError(error, this.address) ?? error;
    for (const listener of this.listeners) listener(reported);
  };

  /** Opens one more connection, for BullMQ's workers or for messages. */
  private openCopy(): RedisClient {
    const copy = patchHashReplies(openWorkerCopy(this.commands));
    copy.on('error', this.report);
    this.copies.push(copy);
    return cutWhenSilent(copy, WORKER_SILENCE_LIMIT);
  }
}

/** The state of a job that has not ended. */
function stateOf(json: JobJson, locked: boolean, blocked: boolean): JobState {
  // A step of a chain keeps its delay while it waits for the step before it.
  if (blocked && !locked) return 'waiting-children';
  if (json.delay) return 'delayed';
  if (locked) return 'active';
  return 'waiting';
}

function isSame(a: JobJson, b: JobJson): boolean {
  return a.attemptsStarted === b.attemptsStarted && a.attemptsMade === b.attemptsMade && a.delay === b.delay;
}
