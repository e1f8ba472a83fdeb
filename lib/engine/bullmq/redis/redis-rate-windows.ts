import type { RateWindows, UnusedToken } from '../driver.js';
import type { RedisClient } from './client-options.js';

/**
 * Takes one from BullMQ's counter of the jobs that were started in the current window of a rate limit. A job that was taken
 * before the window began is not among them.
 *
 * `KEYS` the counter and the metadata of the queue, whose limit takes precedence; `ARGV` the window that the worker declares (0:
 * none) and the time since the job was taken, in milliseconds.
 */
const RETURN_TOKEN = `
  local window = tonumber(redis.call('HGET', KEYS[2], 'duration') or ARGV[1])
  local left = redis.call('PTTL', KEYS[1])
  local used = tonumber(redis.call('GET', KEYS[1]) or '0')
  if left > 0 and used > 0 and used < 1e15 and window - left >= tonumber(ARGV[2]) then redis.call('DECR', KEYS[1]) end
`;

/** Lets the window of the counter `KEYS[1]` end after `ARGV[1]` milliseconds, unless it ends earlier. */
const SHORTEN_WINDOW = `
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
`;

/**
 * Lets the window of the counter `KEYS[1]` end after its whole length, unless it ends earlier. `KEYS[2]` is the metadata of the queue,
 * whose limit takes precedence; `ARGV[1]` the window that the worker declares (0: none). A limit of BullMQ's `rateLimit()` has so many
 * points that none is left, and may last for any time.
 */
const LIMIT_WINDOW = `
  local window = tonumber(redis.call('HGET', KEYS[2], 'duration') or ARGV[1])
  local used = tonumber(redis.call('GET', KEYS[1]) or '0')
  if window > 0 and used < 1e15 and redis.call('PTTL', KEYS[1]) > window then redis.call('PEXPIRE', KEYS[1], window) end
`;

/** Changes the windows of rate limits on Redis. */
export class RedisRateWindows implements RateWindows {
  constructor(
    private readonly commands: RedisClient,
    private readonly prefix: string,
  ) {}

  async returnToken(queue: string, { window, heldFor }: UnusedToken): Promise<void> {
    const keys = [`${this.prefix}:${queue}:limiter`, `${this.prefix}:${queue}:meta`];
    await this.commands.eval(RETURN_TOKEN, keys.length, ...keys, window ?? 0, heldFor);
  }

  async shorten(queue: string, per: number): Promise<void> {
    await this.commands.eval(SHORTEN_WINDOW, 1, `${this.prefix}:${queue}:limiter`, per);
  }

  async limit(queue: string, declared: number | undefined): Promise<void> {
    const keys = [`${this.prefix}:${queue}:limiter`, `${this.prefix}:${queue}:meta`];
    await this.commands.eval(LIMIT_WINDOW, keys.length, ...keys, declared ?? 0);
  }

  async end(queue: string): Promise<void> {
    await this.commands.del(`${this.prefix}:${queue}:limiter`);
  }
}
