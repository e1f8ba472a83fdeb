import type { MetaChange, MetaPage, QueueMetadata } from '../driver.js';
import type { RedisClient } from './client-options.js';

/** Fields of a page of metadata. */
const META_PAGE = 1_000;

/**
 * Replaces the text of the field ARGV[1] of the hash KEYS[1] by ARGV[3] if it is ARGV[2]; no text is an empty one. Returns the
 * values of the fields from ARGV[4] on.
 */
const REPLACE_META = `
local key, field, before, next = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if (redis.call('HGET', key, field) or '') == before then
  if next == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, next) end
end
return redis.call('HMGET', key, unpack(ARGV, 4))`;

/** Reads and replaces the metadata of queues on Redis. */
export class RedisMetadata implements QueueMetadata {
  constructor(
    private readonly commands: RedisClient,
    private readonly prefix: string,
  ) {}

  async scan(queue: string, cursor: string | undefined): Promise<MetaPage> {
    const key = `${this.prefix}:${queue}:meta`;
    const [next, entries] = await this.commands.hscan(key, cursor ?? '0', 'COUNT', META_PAGE);
    const fields = Array.from(
      { length: entries.length / 2 },
      (_, index) => [entries[2 * index] as string, entries[2 * index + 1] as string] as const,
    );
    return { fields, next: next === '0' ? undefined : next };
  }

  async replace(queue: string, { field, before, next }: MetaChange, fields: readonly string[]) {
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
}
