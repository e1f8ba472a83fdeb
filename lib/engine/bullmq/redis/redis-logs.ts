import type { JobLines, JobLogs, LineOfJob } from '../driver.js';
import type { JobRef } from '../stored-jobs.js';
import type { RedisClient } from './client-options.js';
import { FIELD_OF_JOB } from './job-hash.js';
import { eachInOnePacket } from './one-packet.js';

/** A field of the job's hash. BullMQ does not read it, and it goes with the job. */
const DROPPED = 'logsDropped';

/**
 * Adds the lines `ARGV[2]`… to the log `KEYS[2]` of the job `KEYS[1]`, and drops all but the last `ARGV[1]` lines. The job counts the
 * lines that were dropped, so that each line keeps its number. Where another program has put something else under one of the keys, the
 * lines are dropped: they are no end of the task.
 */
const ADD_LOG_LINES = `
if redis.call('EXISTS', KEYS[1]) == 0 or type(redis.pcall('HGET', KEYS[1], '${DROPPED}')) == 'table' then return end
local keep = tonumber(ARGV[1])
local kept = redis.pcall('RPUSH', KEYS[2], unpack(ARGV, 2))
if type(kept) ~= 'number' then return end
if kept > keep then
  redis.call('LTRIM', KEYS[2], -keep, -1)
  redis.call('HINCRBY', KEYS[1], '${DROPPED}', kept - keep)
end`;

/** Reads up to `ARGV[2]` lines of the log `KEYS[2]` behind the first `ARGV[1]` lines that the job `KEYS[1]` has ever had. */
const READ_LOG_LINES = `${FIELD_OF_JOB}
local dropped = tonumber(fieldOf(KEYS[1], '${DROPPED}') or '0') or 0
local kept = redis.pcall('LLEN', KEYS[2])
if type(kept) ~= 'number' then return { dropped, 0, {} } end
local limit = tonumber(ARGV[2])
local first = math.max(tonumber(ARGV[1]) - dropped, 0)
local rows = limit > 0 and redis.call('LRANGE', KEYS[2], first, first + limit - 1) or {}
return { dropped, kept, rows }`;

/** Adds and reads the lines of logs on Redis. */
export class RedisLogs implements JobLogs {
  constructor(
    private readonly commands: RedisClient,
    private readonly prefix: string,
  ) {}

  /** Sends a command for each job, all in one packet. */
  async add(lines: readonly LineOfJob[], keep: number): Promise<void> {
    const jobs = new Map<string, string[]>();
    for (const { queue, id, line } of lines) {
      const key = `${this.prefix}:${queue}:${id}`;
      const ofJob = jobs.get(key);
      if (ofJob) ofJob.push(line);
      else jobs.set(key, [line]);
    }
    await eachInOnePacket(this.commands, [...jobs], ([key, ofJob]) =>
      this.commands.eval(ADD_LOG_LINES, 2, ...keysOfLog(key), keep, ...ofJob),
    );
  }

  async read({ queue, id }: JobRef, after: number, limit: number): Promise<JobLines> {
    const keys = keysOfLog(`${this.prefix}:${queue}:${id}`);
    const reply = await this.commands.eval(READ_LOG_LINES, 2, ...keys, after, limit);
    const [dropped, kept, rows] = reply as [number | string, number | string, string[]];
    return { dropped: Number(dropped), kept: Number(kept), rows };
  }
}

/** The keys that both scripts need. @param key the key of the job */
function keysOfLog(key: string): string[] {
  return [key, `${key}:logs`];
}
