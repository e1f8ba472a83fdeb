import type { RedisClient } from './client-options.js';
import { asNodeOfCluster } from './redis-client.js';

/**
 * Two keys lead the command to the node of a cluster that keeps the queues. A single client of a node gets an error, because the keys are
 * on another node, or on two.
 */
const READ_TIME = `return redis.call('TIME')`;

/**
 * The time of the server, in milliseconds.
 *
 * @param address for errors
 * @throws ConfigurationError when the server is a node of a cluster, and the client does not know that
 */
export async function readTime(client: RedisClient, prefix: string, address: string): Promise<number> {
  const keys = ['clock', 'time'].map((name) => `${prefix}:${name}`);
  try {
    const [seconds, microseconds] = (await client.eval(READ_TIME, keys.length, ...keys)) as string[];
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  } catch (error) {
    throw asNodeOfCluster(error, address) ?? error;
  }
}
