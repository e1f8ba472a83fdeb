/** The minor version of BullMQ for whose keys {@link LANE_SCRIPT} was written. */
export const LANE_VERSION = '6.7';
/** The name under which a client defines {@link LANE_SCRIPT}. */
export const LANE_COMMAND = 'taskQueueEndAndTake';

/** The keys of a queue that {@link LANE_SCRIPT} gets, in this order. */
export const LANE_KEYS = [
  ...(['wait', 'active', 'prioritized', 'events', 'stalled', 'delayed'] as const),
  ...(['meta', 'pc', 'completed', 'marker'] as const),
] as const;

/**
 * Bytes of the jobs that {@link LANE_SCRIPT} takes; the last one may exceed them. Redis serves nothing else while it writes them as JSON:
 * a second for 50 jobs of a megabyte.
 */
export const LARGEST_TAKE = 1_000_000;

/**
 * Ends jobs of one queue and takes as many others, as BullMQ's `moveToFinished` does it for each job by itself, with the same
 * keys and the same events.
 *
 * ARGV: the prefix of the keys, the time, the milliseconds of a lock, the name of the worker or '', the number of ends; for each end
 * its id, token, result, time, and 1 when its token wants another job; then further tokens that want a job.
 *
 * - It ends only jobs that run under their token and have no parent, key, scheduler or open members. What it leaves out, BullMQ's own
 *   script ends.
 * - It reads settings of the queue as BullMQ's scripts do, by which patched-scripts.ts makes it go on when one is no number.
 * - It takes no job while the queue has a limit, or delayed jobs that are due, which BullMQ's own script makes wait first.
 * - It takes no further job once it has taken {@link LARGEST_TAKE} bytes.
 *
 * Returns the ids of the jobs that it has not ended; for each taken job its token, id and fields, as JSON; 1 when BullMQ's own script has to
 * take the next jobs; and the time of the next delayed job, unless jobs were taken. A client reads one long text much faster than twenty
 * short ones for each job.
 */
export const LANE_SCRIPT = `
local rcall = redis.call
local waitKey, activeKey, prioritizedKey, eventsKey, stalledKey, delayedKey, queueMetaKey, pcKey, completedKey, markerKey = unpack(KEYS)
local prefix, now, lockDuration, worker, ends = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local settings = rcall("HMGET", queueMetaKey, 'paused', 'concurrency', 'max', 'opts.maxLenEvents')
if ends > 0 then
  if not settings[4] then rcall('HSET', queueMetaKey, 'opts.maxLenEvents', 10000) end
  rcall('XTRIM', eventsKey, 'MAXLEN', '~', settings[4] or 10000)
end

local function isPlain(key)
  if rcall('EXISTS', key) == 0 then return false end
  for _, value in ipairs(rcall('HMGET', key, 'parentKey', 'parent', 'deid', 'rjk')) do
    if value then return false end
  end
  return rcall('SCARD', key .. ':dependencies') == 0 and rcall('ZCARD', key .. ':unsuccessful') == 0
end

local left, tokens, hasEnded = {}, {}, false
for index = 6, 1 + 5 * ends, 5 do
  local id, token, result, finishedOn = ARGV[index], ARGV[index + 1], ARGV[index + 2], ARGV[index + 3]
  local key = prefix .. id
  if rcall('GET', key .. ':lock') == token and isPlain(key) and rcall('LREM', activeKey, -1, id) > 0 then
    rcall('DEL', key .. ':lock')
    rcall('SREM', stalledKey, id)
    rcall('HINCRBY', key, 'atm', 1)
    rcall('ZADD', completedKey, finishedOn, id)
    rcall('HSET', key, 'returnvalue', result, 'finishedOn', finishedOn)
    rcall('XADD', eventsKey, '*', 'event', 'completed', 'jobId', id, 'returnvalue', result, 'prev', 'active')
    hasEnded = true
    if ARGV[index + 4] == '1' then tokens[#tokens + 1] = token end
  else
    left[#left + 1] = id
  end
end
for index = 6 + 5 * ends, #ARGV do tokens[#tokens + 1] = ARGV[index] end

local refers = 0
if settings[2] or settings[3] then
  refers = 1
elseif #rcall('ZRANGEBYSCORE', delayedKey, 0, (now + 1) * 0x1000 - 1, 'LIMIT', 0, 1) > 0 then
  refers = 1
end

local function nextId()
  local id = rcall('RPOPLPUSH', waitKey, activeKey)
  while id and string.sub(id, 1, 2) == '0:' do
    rcall('LREM', activeKey, 1, id)
    id = rcall('RPOPLPUSH', waitKey, activeKey)
  end
  if id then return id end
  id = rcall('ZPOPMIN', prioritizedKey)[1]
  if id then rcall('LPUSH', activeKey, id) else rcall('DEL', pcKey) end
  return id
end

local taken, size = {}, 0
if refers == 0 and not settings[1] then
  for _, token in ipairs(tokens) do
    if size >= ${LARGEST_TAKE} then
      refers = 1
      break
    end
    local id = nextId()
    if not id then break end
    local key = prefix .. id
    rcall('SET', key .. ':lock', token, 'PX', lockDuration)
    rcall('XADD', eventsKey, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
    if worker == '' then
      rcall('HSET', key, 'processedOn', now)
    else
      rcall('HSET', key, 'processedOn', now, 'pb', worker)
    end
    rcall('HINCRBY', key, 'ats', 1)
    local fields = rcall('HGETALL', key)
    for _, field in ipairs(fields) do size = size + #field end
    taken[#taken + 1] = { token, id, fields }
  end
  if #taken > 0 and (rcall('LLEN', waitKey) > 0 or rcall('ZCARD', prioritizedKey) > 0) then
    rcall('ZADD', markerKey, 0, '0')
  end
end

local nextDelay = '0'
if #taken == 0 then
  if hasEnded and rcall('LLEN', waitKey) == 0 and rcall('LLEN', activeKey) == 0 and rcall('ZCARD', prioritizedKey) == 0 then
    rcall('XADD', eventsKey, '*', 'event', 'drained')
  end
  local first = rcall('ZRANGE', delayedKey, 0, 0, 'WITHSCORES')[2]
  if first then nextDelay = string.format('%.0f', tonumber(first) / 0x1000) end
end
return { left, #taken == 0 and '' or cjson.encode(taken), refers, nextDelay }
`;

/** What {@link LANE_SCRIPT} returns. */
export type LaneReply = readonly [
  left: readonly string[],
  /** JSON of a list of {@link TakenJob}; empty when there is none. */
  taken: string,
  refers: number,
  nextDelay: string,
];

/** A job that {@link LANE_SCRIPT} has taken. */
export type TakenJob = readonly [token: string, id: string, fields: string[]];
