import type { BackendFactory, RedisQueueBackend } from 'bullmq';
import { bullmq } from '../bullmq-package.js';
import { endWaiting, ignore, WORKERS_SILENT, type RedisClient } from './redis-client.js';
import { cutWhenSilent } from './silence-watchdog.js';
import { patchWorkerBackend } from '../patched-worker-backend.js';

/**
 * How long a worker waits for a job in one command, in seconds; then it asks again. BullMQ's own limit is 10, but a
 * connection that broke without a word is noticed only when this time is over.
 */
const LONGEST_WAIT = 5;

/** BullMQ's, with workers as they are wanted here, that can be closed while the server is gone. */
export const createBackend: BackendFactory<RedisQueueBackend> = (name, options, kind) => {
  const backend = bullmq.createRedisBackend(name, options, kind);
  if (!kind?.withBlockingConnection) return backend;
  const disconnectBlocking = backend.disconnectBlocking.bind(backend);
  backend.disconnectBlocking = async (wait) => {
    const client = await backend.blockingClient;
    if (client) endWaiting(client);
    await disconnectBlocking(wait);
  };
  Object.defineProperty(backend, 'maximumBlockTimeout', { value: LONGEST_WAIT });
  return patchWorkerBackend(backend);
};

/**
 * BullMQ copies a worker's client for the connection on which the worker waits. That runs one command, so none of BullMQ's
 * fifty scripts is made ready on it: a process with many queues starts sooner.
 */
export function withBareCopies(client: RedisClient): RedisClient {
  const duplicate = client.duplicate.bind(client) as (...options: unknown[]) => RedisClient;
  const duplicateBare = (...options: unknown[]) =>
    cutWhenSilent(Object.assign(duplicate(...options), { defineCommand: ignore }), WORKERS_SILENT);
  return Object.assign(client, { duplicate: duplicateBare });
}
