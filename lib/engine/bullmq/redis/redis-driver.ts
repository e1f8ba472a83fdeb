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
import { bullmq } from '../bullmq-package.js';
import { CallDeadline } from '../call-deadline.js';
import { createBackend, withBareCopies } from './patched-redis-backend.js';
import { RedisBus } from './redis-bus.js';
import { resetSocket } from '../reset-socket.js';
import {
  asConfigurationError,
  endClient,
  ignore,
  isOutage,
  isUsable,
  nextAttempt,
  WORKER_OPTIONS,
  WORKERS_SILENT,
  type RedisClient,
} from './redis-client.js';
import { cutWhenSilent } from './silence-watchdog.js';
import { patchSendCommand } from './patched-send-command.js';
import type { Driver, OnStored } from '../driver.js';
import type { MessageBus } from '../message-bus.js';
import type { JobEntry } from '../jobs/job-data.js';

const redis = bullmq.withBackend(createBackend);

/** Redis or Valkey. One connection for commands, one more for all workers, one each that a worker blocks on. */
export class RedisDriver implements Driver {
  readonly bus: MessageBus;
  /**
   * One connection keeps them in order without waiting for answers. Small ones, so that Redis works on some while others
   * are made, and answers some callers while it works on those of others.
   */
  readonly batchLimits = { size: 40, atOnce: 25 };
  readonly deadline = new CallDeadline();
  private readonly copies: RedisClient[] = [];
  private readonly listeners: ((error: Error) => void)[] = [];
  private connecting: Promise<void> | undefined;
  private workerClient: RedisClient | undefined;
  /** Looks jobs up in queues that have no object here, and never will: their names come from ids that anybody can send. */
  private anchor: Queue | undefined;
  private readonly used = new Set<string>();
  private readonly backends = new Map<string, IQueueBackend>();
  private closing = false;

  /**
   * @param commands a client with `COMMAND_OPTIONS`, or the application's own
   * @param own whether to close `commands` with the store
   */
  constructor(
    readonly address: string,
    private readonly commands: RedisClient,
    private readonly own: boolean,
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
    if (!this.own && this.commands.status === 'end')
      throw new Error('Connection is closed. The application closed its client.');
    // Whoever waits, waits for the same attempt.
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
    // The application's own client may be busy with something of its own; a cluster has many connections.
    if (!this.own || 'nodes' in this.commands) return;
    // One that is just being made carries nothing yet. On one that is open Redis answers in order: what came meanwhile
    // were the answers of earlier calls, and this one's caller must not find it carried out later.
    if (!isUsable(this.commands)) return;
    resetSocket(this.commands.stream);
  }

  createQueue(name: string, options: Omit<QueueOptions, 'connection' | 'prefix'> = {}): Queue {
    // Once the client tries to connect, BullMQ waits for it; a first failure of its own would be final.
    if (this.commands.status === 'wait') this.commands.connect().catch(ignore);
    this.used.add(name);
    const queue = new redis.Queue(name, { ...options, connection: this.commands, prefix: this.prefix });
    queue.on('error', this.report);
    return queue;
  }

  /**
   * Each as a command of its own, all in one packet. BullMQ would put them into a pipeline: for each one ioredis makes
   * methods of BullMQ's fifty scripts anew, and it has no answer for anybody before all are there.
   */
  async addJobs(queue: Queue, jobs: readonly JobEntry[], stored: OnStored): Promise<void> {
    const backend = queue.getBackend();
    const client = await backend.client;
    // A cluster has a connection for each node, and knows which.
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
   * BullMQ's `getState` searches lists, which takes longer the longer the queue is. The job's own fields and its lock
   * say the same in constant time; of one that ended the fields alone, so it costs one command. One whose lock is gone
   * may have ended since it was read: it is read again, until it is what it was.
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
      // A delay is only there as long as the job is delayed.
      const mayHaveEnded = json.attemptsStarted > 0 && !json.delay;
      if (locked || !mayHaveEnded || (known && isSame(known, json))) {
        return { json, state: stateOf(json, locked === 1, blocked === 1) };
      }
      known = json;
    }
  }

  /** Kept for the queues that are used here; to make one takes longer than to ask it something. */
  private async openBackend(queue: string): Promise<IQueueBackend> {
    const backend = (await this.lookUpQueue()).getBackend().forQueue(queue);
    if (this.used.has(queue)) this.backends.set(queue, backend);
    return backend;
  }

  private async lookUpQueue(): Promise<Queue> {
    const anchor = (this.anchor ??= this.createQueue('default', { skipMetasUpdate: true }));
    try {
      await anchor.waitUntilReady();
      return anchor;
    } catch (error) {
      // What failed while it began to use the connection fails for ever.
      this.anchor = undefined;
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
    await this.anchor?.close().catch(ignore);
    for (const client of this.copies) endClient(client);
    if (this.own) endClient(this.commands);
    this.commands.off('error', this.report);
  }

  private readonly report = (error: Error): void => {
    if (this.closing) return;
    const told = asConfigurationError(error, this.address) ?? error;
    for (const listener of this.listeners) listener(told);
  };

  /** One more connection, for BullMQ's workers or to hear messages. */
  private openCopy(): RedisClient {
    const { commands } = this;
    const copy =
      'nodes' in commands
        ? commands.duplicate([], {
            ...WORKER_OPTIONS,
            redisOptions: { ...commands.options.redisOptions, ...WORKER_OPTIONS, socketTimeout: WORKERS_SILENT },
          })
        : commands.duplicate({ lazyConnect: false, ...WORKER_OPTIONS });
    copy.on('error', this.report);
    this.copies.push(copy);
    return cutWhenSilent(copy, WORKERS_SILENT);
  }
}

/** Of a job that has not ended. */
function stateOf(json: JobJson, locked: boolean, blocked: boolean): JobState {
  // A step with a delay has it while it waits for the one before.
  if (blocked && !locked) return 'waiting-children';
  if (json.delay) return 'delayed';
  if (locked) return 'active';
  return 'waiting';
}

function isSame(a: JobJson, b: JobJson): boolean {
  return a.attemptsStarted === b.attemptsStarted && a.attemptsMade === b.attemptsMade && a.delay === b.delay;
}
