import type {
  ConnectionOptions,
  FlowProducer,
  Processor,
  Queue,
  QueueOptions,
  RedisQueueBackend,
  Worker,
} from 'bullmq';
import type { ClusterOptions } from 'ioredis';
import { ConfigurationError } from '../../../errors.js';
import type { Finding } from '../../ports/diagnosis-port.js';
import type { ForeignWorker } from '../../ports/foreign-workers-port.js';
import { bullmq } from '../bullmq-package.cjs';
import { CallDeadline } from '../call-deadline.js';
import type { Driver, DriverWorkerOptions, EndMessages, OnStored } from '../driver.js';
import type { JobEntry } from '../jobs/job-data.js';
import type { MessageBus } from '../message-bus.js';
import { resetSocket } from '../reset-socket.js';
import { ServerClock } from '../server-clock.js';
import { isAnswer, isForbidden, lacksRight } from './answer-code.js';
import { openWorkerCopy, SUBSCRIBER_OPTIONS, WORKER_SILENCE_LIMIT, type RedisClient } from './client-options.js';
import { diagnoseRedis } from './diagnose-redis.js';
import { foreignWorkersOnRedis } from './foreign-workers.js';
import { eachInOnePacket } from './one-packet.js';
import { patchDisconnect } from './patched-disconnect.js';
import { patchHashReplies } from './patched-hash-replies.js';
import { repairKeyTypes } from './patched-key-types.js';
import { backendFactory } from './patched-redis-backend.js';
import { patchScripts } from './patched-scripts.js';
import { PlainJobs } from './plain-jobs.js';
import { readTime } from './read-time.js';
import { RedisBus } from './redis-bus.js';
import {
  asConfigurationError,
  endClient,
  ignore,
  isOutage,
  isUsable,
  nextAttempt,
  owesAnswer,
} from './redis-client.js';
import { RedisJobs } from './redis-jobs.js';
import { RedisLists } from './redis-lists.js';
import { RedisLogs } from './redis-logs.js';
import { RedisMetadata } from './redis-metadata.js';
import { RedisRateWindows } from './redis-rate-windows.js';
import { RedisWorkers } from './redis-workers.js';
import { cutWhenSilent } from './silence-watchdog.js';
import { WAKE } from './wake.js';

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
  readonly batchLimits = { size: 40, atOnce: 25, length: 1_000_000 };
  readonly lookupLimits = { size: 100, atOnce: 2 };
  readonly namesWorkers = true;
  readonly dropsStacks = false;
  readonly deadline = new CallDeadline();
  readonly clock: ServerClock;
  readonly jobs: RedisJobs;
  readonly logs: RedisLogs;
  readonly metadata: RedisMetadata;
  readonly rateWindows: RedisRateWindows;
  readonly lists: RedisLists;
  readonly transactions = undefined;
  private readonly classes: ReturnType<typeof bullmq.withBackend<RedisQueueBackend, ConnectionOptions>>;
  private readonly plainJobs: PlainJobs;
  private readonly workers: RedisWorkers;
  private readonly copies: RedisClient[] = [];
  private readonly listeners: ((error: Error) => void)[] = [];
  private connecting: Promise<void> | undefined;
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
    if (ownsCommands) repairKeyTypes(patchScripts(commands), this.reportRemoved);
    this.plainJobs = new PlainJobs(commands);
    this.clock = new ServerClock({
      address,
      read: () => readTime(commands, prefix, address),
      isOutage: (error) => error instanceof ConfigurationError || isOutage(error),
    });
    this.classes = bullmq.withBackend(backendFactory(this.clock));
    this.jobs = new RedisJobs(commands, prefix, this.clock, () => this.connect());
    this.logs = new RedisLogs(commands, prefix);
    this.metadata = new RedisMetadata(commands, prefix);
    this.rateWindows = new RedisRateWindows(commands, prefix);
    this.lists = new RedisLists({ commands, prefix });
    this.workers = new RedisWorkers({
      prefix,
      clock: this.clock,
      commands,
      asksEarly: ownsCommands && !('nodes' in commands),
      openCopy: () => this.openCopy(),
      report: this.report,
      reportRemoved: this.reportRemoved,
      wake: (queue) => this.wake(queue),
    });
    this.bus = new RedisBus(
      prefix,
      commands,
      () => this.workers.client,
      () => this.openCopy(SUBSCRIBER_OPTIONS),
    );
  }

  connect(): Promise<void> | undefined {
    return isUsable(this.commands) ? undefined : this.connectAgain();
  }

  private async connectAgain(): Promise<void> {
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

  /** Asks the node of a cluster that keeps the queues: a command without a key would go to any node. */
  async ping(): Promise<void> {
    await this.connect();
    if ('nodes' in this.commands) await this.commands.exists(`${this.prefix}:ping`);
    else await this.commands.ping();
  }

  abandon(): void {
    // The application's client may be busy with commands of the application.
    if (!this.ownsCommands) return;
    const { commands } = this;
    const clients = 'nodes' in commands ? commands.nodes().filter(owesAnswer) : [commands];
    for (const client of clients) {
      // A connection that is being made carries no command yet. On an open connection Redis answers in order, so answers
      // that came meanwhile belong to earlier calls. Redis must not run this call later: its caller has got an error.
      if (client.status === 'ready') resetSocket(client.stream);
    }
  }

  createQueue(name: string, options: Omit<QueueOptions, 'connection' | 'prefix'> = {}): Queue {
    // BullMQ waits for a client that is connecting already. Otherwise BullMQ connects it, and a queue whose first
    // attempt fails stays broken.
    if (this.commands.status === 'wait') this.commands.connect().catch(ignore);
    const queue = new this.classes.Queue(name, { ...options, connection: this.commands, prefix: this.prefix });
    queue.on('error', this.report);
    return queue;
  }

  /**
   * Stores jobs with one script, or sends each as a command of its own, all in one packet. BullMQ's `addJobs` sends them in a pipeline. For
   * each pipeline ioredis makes the methods of BullMQ's fifty scripts anew, and no caller gets an answer before all answers
   * are there.
   */
  async addJobs(queue: Queue, jobs: readonly JobEntry[], stored: OnStored): Promise<readonly number[]> {
    const backend = queue.getBackend();
    this.lists.useQueue(queue.name);
    if (this.plainJobs.fit(backend, jobs)) {
      const add = () => this.plainJobs.add(backend, jobs);
      await this.workers.store(queue.name, add);
      for (const [index, { jobId }] of jobs.entries()) stored(index, jobId);
      return [];
    }
    const client = await backend.client;
    await eachInOnePacket(this.commands, jobs, ({ job, jobId }, index) =>
      backend.addJobToTransaction(client, job, jobId).then((id) => stored(index, id)),
    );
    return [];
  }

  useQueues(names: readonly string[]): void {
    for (const name of names) this.lists.useQueue(name);
  }

  createFlowProducer(): FlowProducer {
    const flows = new this.classes.FlowProducer({ connection: this.commands, prefix: this.prefix });
    flows.on('error', this.report);
    return flows;
  }

  createWorker(name: string, processor: Processor, options: DriverWorkerOptions, ends: EndMessages): Worker {
    this.useQueues([name]);
    return this.workers.create(name, processor, options, ends);
  }

  async wake(queue: string): Promise<void> {
    const keys = ['marker', 'meta', 'wait', 'prioritized'].map((key) => `${this.prefix}:${queue}:${key}`);
    await this.commands.eval(WAKE, keys.length, ...keys);
  }

  foreignWorkers(queues: readonly string[]): Promise<ForeignWorker[]> {
    return foreignWorkersOnRedis(this.commands, this.prefix, queues);
  }

  diagnose(): Promise<Finding[]> {
    return diagnoseRedis(this.commands, this.address, `${this.prefix}:ping`);
  }

  isOutage(error: unknown): boolean {
    return isOutage(error) || isForbidden(error);
  }

  isForbidden(error: unknown): boolean {
    return isForbidden(error);
  }

  isAnswer(error: unknown): boolean {
    return isAnswer(error);
  }

  onError(listener: (error: Error) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    this.clock.close();
    for (const client of this.copies) endClient(client);
    if (this.ownsCommands) endClient(this.commands);
    this.commands.off('error', this.report);
  }

  private readonly report = (error: Error): void => {
    if (this.closing) return;
    // A right that a command needs is nothing that the connection is refused for.
    const reported = lacksRight(error) ? error : (asConfigurationError(error, this.address) ?? error);
    for (const listener of this.listeners) listener(reported);
  };

  private readonly reportRemoved = (key: string): void => {
    this.report(
      new Error(
        `The key "${key}" had another type than this package stores there, so it was removed. What changed it?`,
      ),
    );
  };

  /** Opens one more connection, for BullMQ's workers or for messages. */
  private openCopy(ofCluster?: ClusterOptions): RedisClient {
    const copy = patchDisconnect(patchHashReplies(openWorkerCopy(this.commands, ofCluster)));
    copy.on('error', this.report);
    this.copies.push(copy);
    return cutWhenSilent(repairKeyTypes(patchScripts(copy), this.reportRemoved), WORKER_SILENCE_LIMIT);
  }
}
