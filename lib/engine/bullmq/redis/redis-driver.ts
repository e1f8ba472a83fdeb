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
import { bullmq } from '../bullmq-package.cjs';
import { CallDeadline } from '../call-deadline.js';
import { ServerClock } from '../server-clock.js';
import { backendFactory, withBareCopies } from './patched-redis-backend.js';
import { RedisBus } from './redis-bus.js';
import { diagnoseRedis } from './diagnose-redis.js';
import { foreignWorkersOnRedis } from './foreign-workers.js';
import type { Finding } from '../../ports/diagnosis-port.js';
import type { ForeignWorker } from '../../ports/foreign-workers-port.js';
import { resetSocket } from '../reset-socket.js';
import { isAnswer, isForbidden, lacksRight } from './answer-code.js';
import { openWorkerCopy, SUBSCRIBER_OPTIONS, WORKER_SILENCE_LIMIT, type RedisClient } from './client-options.js';
import {
  asConfigurationError,
  asNodeOfCluster,
  endClient,
  ignore,
  isOutage,
  isUsable,
  nextAttempt,
  owesAnswer,
} from './redis-client.js';
import { cutWhenSilent } from './silence-watchdog.js';
import { patchDisconnect } from './patched-disconnect.js';
import { patchHashReplies } from './patched-hash-replies.js';
import { patchSendCommand } from './patched-send-command.js';
import {
  beginningOfMark,
  CANCEL_JOB,
  FAIL_JOB,
  keysOfJob,
  READ_JOB,
  RUN_AGAIN,
  toFoundJob,
  type JobReply,
} from './job-hash.js';
import { ADD_LOG_LINES, keysOfLog, READ_LOG_LINES } from './job-log.js';
import { laneOn } from './lane/lane-on-client.js';
import { repairKeyTypes } from './patched-key-types.js';
import { patchScripts } from './patched-scripts.js';
import { RedisLists } from './redis-lists.js';
import { REMOVE_ENDED } from './remove-ended.js';
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
import { editJob } from './edit-job.js';
import { PlainJobs } from './plain-jobs.js';
import { REPLACE_META } from './replace-meta.js';
import { LIMIT_WINDOW, RETURN_TOKEN, SHORTEN_WINDOW } from './rate-window.js';
import { WAKE } from './wake.js';
import type { MessageBus } from '../message-bus.js';
import type { JobEntry } from '../jobs/job-data.js';
import { unreadableOptions } from '../jobs/unreadable-job.js';

/**
 * Two keys lead the command to the node of a cluster that keeps the queues. A single client of a node gets an error, because the keys are
 * on another node, or on two.
 */
const READ_TIME = `return redis.call('TIME')`;

/** Fields of a page of metadata. */
const META_PAGE = 1_000;

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
  readonly lists: RedisLists;
  readonly transactions = undefined;
  private readonly classes: ReturnType<typeof bullmq.withBackend<RedisQueueBackend, ConnectionOptions>>;
  private readonly plainJobs: PlainJobs;
  private readonly copies: RedisClient[] = [];
  private readonly listeners: ((error: Error) => void)[] = [];
  private connecting: Promise<void> | undefined;
  private workerClient: RedisClient | undefined;
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
      read: () => this.readTime(),
      isOutage: (error) => error instanceof ConfigurationError || isOutage(error),
    });
    this.classes = bullmq.withBackend(backendFactory(this.clock));
    this.lists = new RedisLists({ commands, prefix, inOnePacket: (items, send) => this.inOnePacket(items, send) });
    this.bus = new RedisBus(
      prefix,
      commands,
      () => this.workerClient,
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

  /** @throws ConfigurationError when the server is a node of a cluster, and the client does not know that */
  private async readTime(): Promise<number> {
    const keys = ['clock', 'time'].map((name) => `${this.prefix}:${name}`);
    try {
      const [seconds, microseconds] = (await this.commands.eval(READ_TIME, keys.length, ...keys)) as string[];
      return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
    } catch (error) {
      throw asNodeOfCluster(error, this.address) ?? error;
    }
  }

  abandon(): void {
    // The application's client may be busy with commands of the application.
    if (!this.ownsCommands) return;
    const { commands } = this;
    const clients = 'nodes' in commands ? commands.nodes().filter(owesAnswer) : [commands];
    for (const client of clients) {
      // A connection that is being made carries no command yet. On an open connection Redis answers in order, so answers
      // that came meanwhile belong to earlier calls. Redis must not run this call later: its caller has got an error.
      if (isUsable(client)) resetSocket(client.stream);
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
    const client = await backend.client;
    this.useQueues([queue.name]);
    if (this.plainJobs.fit(backend, jobs)) {
      await this.plainJobs.add(backend, jobs);
      for (const [index, { jobId }] of jobs.entries()) stored(index, jobId);
      return [];
    }
    await this.inOnePacket(jobs, ({ job, jobId }, index) =>
      backend.addJobToTransaction(client, job, jobId).then((id) => stored(index, id)),
    );
    return [];
  }

  /** Sends a command for each item, all in one packet. */
  private inOnePacket<T, R>(items: readonly T[], send: (item: T, index: number) => Promise<R>): Promise<R[]> {
    // A cluster has a connection for each node and chooses one by itself.
    const stream = 'nodes' in this.commands ? undefined : this.commands.stream;
    stream?.cork();
    const sent = items.map(send);
    stream?.uncork();
    return Promise.all(sent);
  }

  useQueues(names: readonly string[]): void {
    for (const name of names) this.lists.useQueue(name);
  }

  createFlowProducer(): FlowProducer {
    const flows = new this.classes.FlowProducer({ connection: this.commands, prefix: this.prefix });
    flows.on('error', this.report);
    return flows;
  }

  createWorker(
    name: string,
    processor: Processor,
    { runsBatches, ...options }: DriverWorkerOptions,
    ends: EndMessages,
  ): Worker {
    this.useQueues([name]);
    this.workerClient ??= withBareCopies(patchSendCommand(this.openCopy()), this.reportRemoved);
    const { workerClient, clock } = this;
    let worker: Worker | undefined;
    const inLane = laneOn(workerClient, { clock, ends, runsBatches, worker: () => worker });
    const classes = bullmq.withBackend(backendFactory(clock, { inLane, onForbidden: this.report }));
    worker = new classes.Worker(name, processor, { ...options, connection: workerClient, prefix: this.prefix });
    return worker;
  }

  /** Sends a command for each job, all in one packet. */
  async find(jobs: readonly JobRef[]): Promise<(FoundJob | undefined)[]> {
    await this.connect();
    return this.inOnePacket(jobs, async ({ queue, id }) => {
      const keys = keysOfJob(`${this.prefix}:${queue}:${id}`);
      return toFoundJob((await this.commands.eval(READ_JOB, keys.length, ...keys)) as JobReply);
    });
  }

  /** Sends a command for each job, all in one packet, and another one for each job that was delayed. */
  async cancel(queue: Queue, cancels: readonly CancelOfJob[]): Promise<(FoundJob | undefined)[]> {
    const backend = queue.getBackend();
    const found = await this.inOnePacket(cancels, async (cancel) => {
      const keys = keysOfJob(backend.toKey(cancel.id));
      const reply = await this.commands.eval(CANCEL_JOB, keys.length, ...keys, beginningOfMark(cancel));
      return toFoundJob(reply as JobReply);
    });
    const delayed = cancels.filter((_, index) => found[index]?.state === 'delayed');
    // A promotion fails when the job's own time came meanwhile.
    await this.inOnePacket(delayed, ({ id }) => backend.promote(id).catch(ignore));
    return found;
  }

  async runAgainAfterEnd({ queue, id }: JobRef, again: boolean): Promise<FoundJob | undefined> {
    const keys = keysOfJob(`${this.prefix}:${queue}:${id}`);
    return toFoundJob((await this.commands.eval(RUN_AGAIN, keys.length, ...keys, again ? 1 : 0)) as JobReply);
  }

  async fail({ queue, id }: JobRef, { reruns, ...mark }: FailureOfJob): Promise<FoundJob | undefined> {
    const keys = keysOfJob(`${this.prefix}:${queue}:${id}`);
    const reply = await this.commands.eval(FAIL_JOB, keys.length, ...keys, JSON.stringify(mark), reruns);
    const [isMarked, job] = reply as [number | string, JobReply];
    return Number(isMarked) === 1 ? toFoundJob(job) : undefined;
  }

  async makeEndable(queue: string, id: string, reason: string): Promise<void> {
    const key = `${this.prefix}:${queue}:${id}`;
    await this.commands.eval(
      MAKE_ENDABLE,
      1,
      key,
      JSON.stringify(unreadableOptions(reason)),
      `${this.prefix}:${queue}:de:`,
    );
  }

  async scanMeta(queue: string, cursor: string | undefined): Promise<MetaPage> {
    const key = `${this.prefix}:${queue}:meta`;
    const [next, entries] = await this.commands.hscan(key, cursor ?? '0', 'COUNT', META_PAGE);
    const fields = Array.from(
      { length: entries.length / 2 },
      (_, index) => [entries[2 * index] as string, entries[2 * index + 1] as string] as const,
    );
    return { fields, next: next === '0' ? undefined : next };
  }

  async replaceMeta(queue: string, { field, before, next }: MetaChange, fields: readonly string[]) {
    const reply = await this.commands.eval(
      REPLACE_META,
      1,
      `${this.prefix}:${queue}:meta`,
      field,
      before,
      next,
      ...fields,
    );
    return reply as (string | null)[];
  }

  async holdKey(queue: string, key: string, id: string): Promise<string> {
    const stored = `${this.prefix}:${queue}:de:${key}`;
    return (await this.commands.set(stored, id, 'NX')) ? id : ((await this.commands.get(stored)) ?? '');
  }

  async removeEnded(queue: string, { state, before, atOnce }: EndedJobs): Promise<number> {
    const prefix = `${this.prefix}:${queue}:`;
    const looked = await this.commands.eval(
      REMOVE_ENDED,
      1,
      `${prefix}${state}`,
      before,
      this.clock.now(),
      atOnce,
      prefix,
    );
    return looked as number;
  }

  async returnToken(queue: string, { window, heldFor }: UnusedToken): Promise<void> {
    const keys = [`${this.prefix}:${queue}:limiter`, `${this.prefix}:${queue}:meta`];
    await this.commands.eval(RETURN_TOKEN, keys.length, ...keys, window ?? 0, heldFor);
  }

  edit(queue: string, id: string, edit: JobEdit): Promise<boolean> {
    return editJob(this.commands, `${this.prefix}:${queue}:`, id, edit);
  }

  async wake(queue: string): Promise<void> {
    const keys = ['marker', 'meta', 'wait', 'prioritized'].map((key) => `${this.prefix}:${queue}:${key}`);
    await this.commands.eval(WAKE, keys.length, ...keys);
  }

  async shortenRateWindow(queue: string, per: number): Promise<void> {
    await this.commands.eval(SHORTEN_WINDOW, 1, `${this.prefix}:${queue}:limiter`, per);
  }

  async limitRateWindow(queue: string, declared: number | undefined): Promise<void> {
    const keys = [`${this.prefix}:${queue}:limiter`, `${this.prefix}:${queue}:meta`];
    await this.commands.eval(LIMIT_WINDOW, keys.length, ...keys, declared ?? 0);
  }

  async endRateWindow(queue: string): Promise<void> {
    await this.commands.del(`${this.prefix}:${queue}:limiter`);
  }

  /** Sends a command for each job, all in one packet. */
  async addLogLines(lines: readonly LineOfJob[], keep: number): Promise<void> {
    const jobs = new Map<string, string[]>();
    for (const { queue, id, line } of lines) {
      const key = `${this.prefix}:${queue}:${id}`;
      const ofJob = jobs.get(key);
      if (ofJob) ofJob.push(line);
      else jobs.set(key, [line]);
    }
    await this.inOnePacket([...jobs], ([key, ofJob]) =>
      this.commands.eval(ADD_LOG_LINES, 2, ...keysOfLog(key), keep, ...ofJob),
    );
  }

  async readLogLines({ queue, id }: JobRef, after: number, limit: number): Promise<JobLines> {
    const keys = keysOfLog(`${this.prefix}:${queue}:${id}`);
    const reply = await this.commands.eval(READ_LOG_LINES, 2, ...keys, after, limit);
    const [dropped, kept, rows] = reply as [number | string, number | string, string[]];
    return { dropped: Number(dropped), kept: Number(kept), rows };
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

/**
 * Makes the hash KEYS[1] of a job such that BullMQ's scripts can end the job:
 *
 * - A key of another type is removed, and a hash with the options ARGV[1] takes its place.
 * - The reference to the parent is written anew from the parent's key, if it is not JSON. The parent goes on without this
 *   member.
 * - Counters that are not numbers are removed, and so are lists of members that are none, and a reference to a
 *   deduplication key (behind the prefix ARGV[2]) that is not a text.
 */
const MAKE_ENDABLE = `
local job = KEYS[1]
local function typeOf(key) return redis.call('TYPE', key).ok end
if typeOf(job) ~= 'hash' then
  redis.call('DEL', job)
  redis.call('HSET', job, 'opts', ARGV[1])
end
local function isObject(text)
  local ok, value = pcall(cjson.decode, text)
  return ok and type(value) == 'table'
end
local parent, parentKey = unpack(redis.call('HMGET', job, 'parent', 'parentKey'))
if parent and not isObject(parent) then
  local queue, id = string.match(parentKey or '', '^(.*):([^:]*)$')
  redis.call('HDEL', job, 'parent')
  if id then redis.call('HSET', job, 'parent', cjson.encode({ id = id, queueKey = queue, cpof = true })) end
end
for _, counter in ipairs({ 'atm', 'ats', 'stc' }) do
  local value = redis.call('HGET', job, counter)
  if value and not string.match(value, '^%d%d?%d?%d?%d?%d?%d?%d?%d?%d?$') then redis.call('HDEL', job, counter) end
end
for suffix, expected in pairs({ dependencies = 'set', unsuccessful = 'zset', processed = 'hash', failed = 'hash' }) do
  local key = job .. ':' .. suffix
  if typeOf(key) ~= expected then redis.call('DEL', key) end
end
local deduplication = redis.call('HGET', job, 'deid')
if deduplication and typeOf(ARGV[2] .. deduplication) ~= 'string' then redis.call('HDEL', job, 'deid') end
`;
