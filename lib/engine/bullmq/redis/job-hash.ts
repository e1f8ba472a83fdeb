import type { JobJson, JobState } from 'bullmq';
import { bullmq } from '../bullmq-package.cjs';
import type { CancelOfJob, FoundJob } from '../stored-jobs.js';
import { decodableHash, unreadableHash } from './decodable-hash.js';

/** A function of Lua that reads a job: its fields, whether a worker has its lock, and whether it waits for members. */
export const READ_JOB_FUNCTION = `
local function readJob(job)
  local fields = redis.pcall('HGETALL', job)
  if fields.err then
    if not string.find(fields.err, 'WRONGTYPE', 1, true) then return fields end
    fields = { 'opts', '${unreadableHash('its key is not a hash').opts}' }
  end
  return { fields, redis.call('EXISTS', job .. ':lock'), redis.call('EXISTS', job .. ':dependencies') }
end`;

/** Reads the job KEYS[1] in one step. The other keys are those of {@link keysOfJob}. */
export const READ_JOB = `${READ_JOB_FUNCTION}
return readJob(KEYS[1])`;

/** A function of Lua that reads a field of a job; false when there is none, or when another program has put something else under its key. */
export const FIELD_OF_JOB = `
local function fieldOf(job, field)
  local value = redis.pcall('HGET', job, field)
  return type(value) == 'string' and value
end`;

/** A function of Lua that tells whether the text of the data, behind its first bracket, begins with a mark. */
const HAS_MARK = `
local function hasMark(rest)
  return string.sub(rest, 1, 12) == '"cancelled":' or string.sub(rest, 1, 9) == '"failed":'
end`;

/**
 * Marks the job KEYS[1] as failed by a member, unless a worker has it, it has ended or has a mark, or a caller has run it again: the
 * number of its reruns has to be ARGV[2]. ARGV[1] is the JSON text of the mark. Reads the job in the same step.
 */
export const FAIL_JOB = `${HAS_MARK}${FIELD_OF_JOB}
local data = fieldOf(KEYS[1], 'data')
local rest = data and string.match(data, '^%s*{%s*(.*)$')
local isFree = not fieldOf(KEYS[1], 'finishedOn') and redis.call('EXISTS', KEYS[2]) == 0
local isMarked = 0
if rest and isFree and not hasMark(rest) then
  local isRead, value = pcall(cjson.decode, data)
  local rerun = isRead and type(value.rerun) == 'table' and tonumber(value.rerun.count) or 0
  if isRead and rerun == tonumber(ARGV[2]) then
    local comma = string.sub(rest, 1, 1) == '}' and '' or ','
    redis.call('HSET', KEYS[1], 'data', '{"failed":' .. ARGV[1] .. comma .. rest)
    isMarked = 1
  end
end
${READ_JOB_FUNCTION}
return { isMarked, readJob(KEYS[1]) }`;

/**
 * Cancels the job KEYS[1] and reads it in the same step, as {@link READ_JOB} does. ARGV[1] is the JSON text of the mark up to
 * the value of `starts`, which is followed by whether a worker has the lock of the job. The mark is put into the text of the data, because Lua does not read and write every JSON value
 * without a loss.
 */
export const CANCEL_JOB = `${HAS_MARK}${FIELD_OF_JOB}
local data = fieldOf(KEYS[1], 'data')
local rest = data and string.match(data, '^%s*{%s*(.*)$')
if rest and not fieldOf(KEYS[1], 'finishedOn') and not hasMark(rest) then
  local mark = ARGV[1] .. (tonumber(fieldOf(KEYS[1], 'ats') or '0') or 0)
    .. ',"running":' .. (redis.call('EXISTS', KEYS[2]) == 1 and 'true' or 'false') .. '}'
  local comma = string.sub(rest, 1, 1) == '}' and '' or ','
  redis.call('HSET', KEYS[1], 'data', '{"cancelled":' .. mark .. comma .. rest)
end
${READ_JOB}`;

/**
 * Puts a note into the mark of the cancelled job KEYS[1], unless it has ended, or removes it, and reads the job in the same step. ARGV[1]
 * is 1 for a note. The mark is the beginning of the text, as {@link CANCEL_JOB} has put it there.
 */
export const RUN_AGAIN = `${FIELD_OF_JOB}
local note = '"again":true,'
local data = fieldOf(KEYS[1], 'data')
local mark = data and string.match(data, '^%s*{%s*"cancelled":{(.*)$')
local isNoted = mark and string.sub(mark, 1, string.len(note)) == note
if mark and ARGV[1] == '1' and not isNoted and not fieldOf(KEYS[1], 'finishedOn') then
  redis.call('HSET', KEYS[1], 'data', '{"cancelled":{' .. note .. mark)
elseif isNoted and ARGV[1] ~= '1' then
  redis.call('HSET', KEYS[1], 'data', '{"cancelled":{' .. string.sub(mark, string.len(note) + 1))
end
${READ_JOB}`;

/** Replaces the data of the cancelled job KEYS[1] by ARGV[1] if its mark has the note of {@link RUN_AGAIN}. Returns whether it did. */
export const BEGIN_AGAIN = `${FIELD_OF_JOB}
local data = fieldOf(KEYS[1], 'data')
if not (data and string.match(data, '^%s*{%s*"cancelled":{"again":true,')) then return 0 end
redis.call('HSET', KEYS[1], 'data', ARGV[1])
return 1`;

/** The JSON text of the mark up to the value of `starts`. */
export function beginningOfMark({ at, reason, by }: CancelOfJob): string {
  return `${JSON.stringify({ at, reason, by }).slice(0, -1)},"starts":`;
}

/** The answer of {@link READ_JOB}. With some options of ioredis a number is a text. */
export type JobReply = readonly [fields: readonly string[], locked: number | string, blocked: number | string];

/** The keys that {@link READ_JOB} needs. @param key the key of the job */
export function keysOfJob(key: string): string[] {
  return [key, `${key}:lock`, `${key}:dependencies`];
}

/**
 * The job in a reply; `undefined` when there is none. The state comes from the job's own fields and its lock, in constant
 * time: BullMQ's `getState` searches lists instead, which takes longer the longer the queue is.
 */
export function toFoundJob([fields, locked, blocked]: JobReply): FoundJob | undefined {
  if (fields.length === 0) return undefined;
  const json = toJobJson(decodableHash(bullmq.array2obj(fields as string[])));
  return { json, state: stateOf(json, Number(locked) === 1, Number(blocked) === 1) };
}

function stateOf(json: JobJson, locked: boolean, blocked: boolean): JobState {
  if (json.finishedOn) return json.returnvalue === undefined ? 'failed' : 'completed';
  // A step of a chain keeps its delay while it waits for the step before it.
  if (blocked && !locked) return 'waiting-children';
  // BullMQ removes `delay` as soon as the job is no longer delayed.
  if (json.delay) return 'delayed';
  return locked ? 'active' : 'waiting';
}

/** The job in the fields of BullMQ's hash, as BullMQ's `getJobData` gives it. */
function toJobJson(raw: Readonly<Record<string, string>>): JobJson {
  const toNumber = (text: string | undefined) => (text ? Number.parseInt(text) : undefined);
  const json = {
    id: raw['id'],
    name: raw['name'],
    data: raw['data'] || '{}',
    opts: bullmq.Job.optsFromJSON(raw['opts']),
    progress: JSON.parse(raw['progress'] || '0'),
    delay: Number.parseInt(raw['delay'] ?? ''),
    priority: Number.parseInt(raw['priority'] ?? ''),
    timestamp: Number.parseInt(raw['timestamp'] ?? ''),
    attemptsStarted: toNumber(raw['ats']) ?? 0,
    attemptsMade: toNumber(raw['attemptsMade'] || raw['atm']) ?? 0,
    stalledCounter: toNumber(raw['stc']) ?? 0,
    finishedOn: toNumber(raw['finishedOn']),
    processedOn: toNumber(raw['processedOn']),
    repeatJobKey: raw['rjk'],
    debounceId: raw['deid'],
    deduplicationId: raw['deid'],
    failedReason: raw['failedReason'],
    deferredFailure: raw['defa'],
    stacktrace: raw['stacktrace'],
    returnvalue: raw['returnvalue'],
    parentKey: raw['parentKey'],
    parent: raw['parent'] ? JSON.parse(raw['parent']) : undefined,
    processedBy: raw['pb'],
  };
  return json as unknown as JobJson;
}
