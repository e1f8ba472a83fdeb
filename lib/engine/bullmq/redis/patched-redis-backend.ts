import type { BackendFactory, JobJson, RedisQueueBackend } from 'bullmq';
import { bareError } from '../../bare-error.js';
import { aroundTaking } from '../around-taking.js';
import { bullmq } from '../bullmq-package.cjs';
import { decodableFields, decodableHash, unreadableHash } from './decodable-hash.js';
import { WORKER_SILENCE_LIMIT, type RedisClient } from './client-options.js';
import { isForbidden } from './answer-code.js';
import { endWaiting, ignore, isOutage } from './redis-client.js';
import { patchDisconnect } from './patched-disconnect.js';
import { repairKeyTypes } from './patched-key-types.js';
import { cutWhenSilent } from './silence-watchdog.js';
import type { Clock } from '../clock.js';
import { waitByOwnClock } from '../patched-backend-time.js';
import { patchWorkerBackend } from '../patched-worker-backend.js';
import { passServerTime } from './patched-redis-time.js';

/**
 * The longest time in seconds for which a worker waits for a job in one command; then it sends the command again.
 * BullMQ's own limit is 10 s. A connection that broke silently is noticed only when this time is over, so it is shorter
 * here.
 */
const LONGEST_WAIT = 5;

/**
 * Makes BullMQ's backends for Redis. They pass the server's time to Redis ({@link passServerTime}), and read jobs as {@link readDefensively}
 * describes. A worker's backend differs from BullMQ's own in further points:
 *
 * - A server that refuses writes is an outage for it, so it tries again to store an end. BullMQ would take a finished job
 *   for a failed one. A refusal for lack of a right is reported, because BullMQ emits no error for an outage.
 * - It can be closed while the server is gone. BullMQ's `disconnectBlocking` waits for ioredis to end the blocking
 *   client, which ioredis never does between two attempts to connect.
 * - It waits for a job for {@link LONGEST_WAIT} seconds at most.
 * - It takes jobs as {@link patchWorkerBackend} describes, and knows the clock ({@link waitByOwnClock}).
 * - With `inLane`, jobs end and are taken together.
 */
export function backendFactory(
  clock: Clock,
  { inLane = alone, onForbidden = ignore }: BackendOptions = {},
): BackendFactory<RedisQueueBackend> {
  return (name, options, kind) => {
    const backend = readDefensively(passServerTime(bullmq.createRedisBackend(name, options, kind), clock));
    if (!kind?.withBlockingConnection) return backend;
    const disconnectBlocking = backend.disconnectBlocking.bind(backend);
    backend.disconnectBlocking = async (wait) => {
      const client = await backend.blockingClient;
      if (client) endWaiting(client);
      await disconnectBlocking(wait);
    };
    Object.defineProperty(backend, 'maximumBlockTimeout', { value: LONGEST_WAIT });
    return inLane(backend, (one) => patchWorkerBackend(refusalIsOutage(waitByOwnClock(one, clock), onForbidden)));
  };
}

export interface BackendOptions {
  readonly inLane?: InLane;
  /** Called with an error of a worker that lacks a right. */
  readonly onForbidden?: (error: Error) => void;
}

/** Puts the ends of many jobs into one script, below the further changes of a worker's backend. */
export type InLane = (
  backend: RedisQueueBackend,
  patch: (backend: RedisQueueBackend) => RedisQueueBackend,
) => RedisQueueBackend;

const alone: InLane = (backend, patch) => patch(backend);

/**
 * BullMQ's worker waits and tries again, also to store how a job ended, only when an error says ECONNREFUSED. So an error
 * of a server that cannot take writes for now gets this code.
 */
function refusalIsOutage(backend: RedisQueueBackend, onForbidden: (error: Error) => void): RedisQueueBackend {
  const asOutage = (error: unknown): never => {
    const isRefused = isForbidden(error);
    if (!(isOutage(error) || isRefused) || !bullmq.isNotConnectionError(error as Error)) throw error;
    if (isRefused) onForbidden(error as Error);
    throw Object.assign(bareError(error), { code: 'ECONNREFUSED' });
  };
  const { moveToCompleted, moveToFailed, moveToDelayed, retryJob } = backend;
  aroundTaking(backend, { failed: asOutage });
  backend.moveToCompleted = (...args) => moveToCompleted.apply(backend, args).catch(asOutage);
  backend.moveToFailed = (...args) => moveToFailed.apply(backend, args).catch(asOutage);
  // These store the end of an attempt that another one follows.
  backend.moveToDelayed = (...args) => moveToDelayed.apply(backend, args).catch(asOutage);
  backend.retryJob = (...args) => retryJob.apply(backend, args).catch(asOutage);
  return backend;
}

/**
 * BullMQ copies a worker's client for the connection on which the worker waits for jobs, and defines its fifty scripts
 * on the copy. The copy runs a single command, which is no script, so `defineCommand` does nothing on the copies of
 * this client. A process with many queues starts sooner.
 *
 * @param onRemovedKey see {@link repairKeyTypes}
 */
export function withBareCopies(client: RedisClient, onRemovedKey: (key: string) => void): RedisClient {
  const duplicate = client.duplicate.bind(client) as (...options: unknown[]) => RedisClient;
  const duplicateBare = (...options: unknown[]) =>
    cutWhenSilent(
      repairKeyTypes(patchDisconnect(Object.assign(duplicate(...options), { defineCommand: ignore })), onRemovedKey),
      WORKER_SILENCE_LIMIT,
    );
  return Object.assign(client, { duplicate: duplicateBare });
}

/** The commands that may answer with the next job. */
const TAKING_COMMANDS: ReadonlySet<string> = new Set(['moveToActive', 'moveToFinished', 'moveToDelayed']);

/**
 * Makes the backend read a job also when a part of it is not JSON, or when its key is not a hash. By itself, the backend
 * throws: a worker that took the job would not learn its id, so the job would stay with it until its lock is over, and a
 * look-up would fail.
 */
function readDefensively(backend: RedisQueueBackend): RedisQueueBackend {
  const { execCommand, forQueue } = backend;
  backend.execCommand = (client, command, args) => {
    const answer = execCommand.call(backend, client, command, args) as unknown as Promise<unknown>;
    return TAKING_COMMANDS.has(command) ? answer.then(withDecodableJob) : answer;
  };
  backend.getJobData = async (id) => {
    const client = await backend.client;
    const key = backend.toKey(id);
    const hash = await client.hgetall(key).catch((error: Error) => {
      if (!error.message.startsWith('WRONGTYPE')) throw error;
      return unreadableHash('its key is not a hash');
    });
    return bullmq.isEmpty(hash) ? undefined : decode(decodableHash(hash));
  };
  backend.forQueue = (...args) => readDefensively(forQueue.apply(backend, args) as RedisQueueBackend);
  return backend;
}

/** @param answer `[fields, id, …]`, the fields of a job's hash as a flat list */
function withDecodableJob(answer: unknown): unknown {
  if (!Array.isArray(answer) || !Array.isArray(answer[0])) return answer;
  const fields = decodableFields(answer[0] as string[]);
  return fields === answer[0] ? answer : [fields, ...answer.slice(1)];
}

function decode(hash: Readonly<Record<string, string>>): JobJson {
  return bullmq.raw2NextJobData([Object.entries(hash).flat()])[0] as JobJson;
}
