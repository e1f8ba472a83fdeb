import type { JobEdit } from '../stored-jobs.js';
import { parse, readData, type JobData } from '../jobs/job-data.js';
import { editedData, editedOptions } from '../jobs/edited-job.js';

/**
 * Changes the job ARGV[1] if no worker has taken it meanwhile, and its data and options are still the texts ARGV[2] and ARGV[4].
 * Lua does not read and write every JSON value without a loss, so the caller makes the new texts.
 *
 * KEYS: the job, its lock, the members for which it waits; the jobs that wait, that have a priority, that are delayed; the counter
 * of priorities, the marker for which idle workers wait, the metadata of the queue.
 * ARGV: id, data, new data, options, new options; new priority or '', new time or '', the time now; how often a worker may have taken
 * the job, or '' for any number; 'delayed' when only a delayed job is changed, which then comes first in its queue.
 *
 * Returns 1 when the job was changed, -1 when the texts are others, else 0.
 */
const EDIT_JOB = `
local id, priority, startAt, now = ARGV[1], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local fields = redis.call('HMGET', KEYS[1], 'data', 'opts', 'ats', 'finishedOn', 'priority')
if not fields[1] or fields[4] then return 0 end
if fields[1] ~= ARGV[2] or (fields[2] or '') ~= ARGV[4] then return -1 end
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
if ARGV[9] ~= '' and (tonumber(fields[3]) or 0) > tonumber(ARGV[9]) then return 0 end
local isDelayed = redis.call('ZSCORE', KEYS[6], id)
local first = ARGV[10] == 'delayed'
if first and not isDelayed then return 0 end
local stays = not startAt and (isDelayed or priority == '')
if not stays then
  local removed = redis.call('ZREM', KEYS[6], id) + redis.call('ZREM', KEYS[5], id)
  if removed == 0 and redis.call('LREM', KEYS[4], 1, id) == 0 then return 0 end
end
redis.call('HSET', KEYS[1], 'data', ARGV[3], 'opts', ARGV[5])
if priority ~= '' then redis.call('HSET', KEYS[1], 'priority', priority) end
if stays then return 1 end
if startAt and startAt > now then
  redis.call('HSET', KEYS[1], 'delay', startAt - now)
  redis.call('ZADD', KEYS[6], startAt * 0x1000, id)
else
  redis.call('HSET', KEYS[1], 'delay', 0)
  local level = tonumber(priority ~= '' and priority or fields[5]) or 0
  if level > 0 then
    local place = first and 0 or redis.call('INCR', KEYS[7]) % 0x100000000
    redis.call('ZADD', KEYS[5], level * 0x100000000 + place, id)
  else
    redis.call(first and 'RPUSH' or 'LPUSH', KEYS[4], id)
  end
  if redis.call('HEXISTS', KEYS[9], 'paused') == 0 then redis.call('ZADD', KEYS[8], 0, '0') end
end
local next = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
if next[2] then redis.call('ZADD', KEYS[8], tonumber(next[2]) / 0x1000, '1') end
return 1`;

/** Attempts to change a job whose data other processes change at the same time. */
const ATTEMPTS = 5;

export interface EditCommands {
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
  eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
}

/** See `StoredJobs.edit`. @param prefix of the keys of the queue, with the colon */
export async function editJob(commands: EditCommands, prefix: string, id: string, edit: JobEdit): Promise<boolean> {
  const job = prefix + id;
  const others = ['wait', 'prioritized', 'delayed', 'pc', 'marker', 'meta'].map((key) => prefix + key);
  const keys = [job, `${job}:lock`, `${job}:dependencies`, ...others];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [dataText, optsText] = await commands.hmget(job, 'data', 'opts');
    const data = readData(parse(dataText ?? undefined));
    if (!dataText || !data || data.cancelled || data.failed) return false;
    const newOptions = editedOptions(parse(optsText ?? undefined), edit);
    const answer = await commands.eval(
      EDIT_JOB,
      keys.length,
      ...keys,
      ...[id, dataText, JSON.stringify(editedData(data, edit)), optsText ?? '', newOptions ?? optsText ?? ''],
      ...[edit.priority ?? '', edit.startAt ?? '', edit.now],
      ...[edit.only === 'unstarted' ? looksOf(data) : '', edit.only],
    );
    if (Number(answer) >= 0) return Number(answer) === 1;
  }
  return false;
}

function looksOf({ looks = 0 }: JobData): number {
  return typeof looks === 'number' ? looks : 0;
}
