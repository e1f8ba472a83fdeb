import { READ_JOB_FUNCTION } from './job-hash.js';

/** How far a position of a list is searched for: this many times this many ids. */
const SEARCHES = 20;
const SEARCH_SIZE = 1_000;
/** How many tasks may have come in front of a position meanwhile, because a worker gave them back. */
const RETURNED = 100;

/**
 * Reads jobs of the sorted set KEYS[1] behind a position. A binary search finds the position also when its own member has
 * left. Members of the same score are compared by their bytes, as Redis does: a comparison of Lua depends on the locale.
 *
 * `ARGV`: the prefix of the jobs' keys, the number of jobs, `asc` or `desc`; then the score and the member of the position, if
 * there is one. Returns the id, the score and the job of each member, in ascending order.
 */
export const LIST_SORTED_JOBS = `
${READ_JOB_FUNCTION}
local key, prefix, count, descending = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3] == 'desc'
local function isBefore(one, other)
  for index = 1, math.max(#one, #other) do
    local a, b = string.byte(one, index) or -1, string.byte(other, index) or -1
    if a ~= b then return a < b end
  end
  return false
end
local size = redis.pcall('ZCARD', key)
if type(size) == 'table' then return {} end
local first, last = 0, size
if ARGV[4] then
  local low = redis.call('ZCOUNT', key, '-inf', '(' .. ARGV[4])
  local high = redis.call('ZCOUNT', key, '-inf', ARGV[4])
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call('ZRANGE', key, middle, middle)[1]
    if isBefore(member, ARGV[5]) or (not descending and member == ARGV[5]) then low = middle + 1 else high = middle end
  end
  if descending then last = low else first = low end
end
if descending then first = math.max(first, last - count) else last = math.min(last, first + count) end
local answer = {}
if first >= last then return answer end
local members = redis.call('ZRANGE', key, first, last - 1, 'WITHSCORES')
for index = 1, #members, 2 do
  local job = readJob(prefix .. members[index])
  if job.err then return job end
  answer[#answer + 1] = { members[index], members[index + 1], job }
end
return answer
`;

/**
 * Reads jobs of the list KEYS[1] behind a position, from the tail to the head: workers take jobs from the tail. The position
 * is the number of jobs up to it, and the ids of some of them, the last one first. Jobs that were taken meanwhile have moved
 * the position towards the tail, so these ids are searched for from there. When none is left, the jobs up to the position are
 * gone, and the answer begins at the tail.
 *
 * `ARGV`: the prefix of the jobs' keys, the number of jobs; then the number and the ids of the position, if there is one.
 * Returns the number of jobs in front of the first one, then the id and the job of each.
 */
export const LIST_QUEUED_JOBS = `
${READ_JOB_FUNCTION}
local key, prefix, count = KEYS[1], ARGV[1], tonumber(ARGV[2])
local length = redis.pcall('LLEN', key)
if type(length) == 'table' then return { 0 } end
local passed = 0
if ARGV[3] then
  local known = {}
  for index = 4, #ARGV do known[ARGV[index]] = true end
  local outer = math.min(length, tonumber(ARGV[3]) + ${RETURNED})
  for search = 1, ${SEARCHES} do
    if outer < 1 or passed > 0 then break end
    local inner = math.max(1, outer - ${SEARCH_SIZE - 1})
    for index, id in ipairs(redis.call('LRANGE', key, -outer, -inner)) do
      if known[id] then passed = outer - index + 1 break end
    end
    outer = inner - 1
  end
end
local ids = redis.call('LRANGE', key, -(passed + count), -(passed + 1))
local answer = { passed }
for index = #ids, 1, -1 do
  local job = readJob(prefix .. ids[index])
  if job.err then return job end
  answer[#answer + 1] = { ids[index], job }
end
return answer
`;

/** How many priorities are looked through for the job that waits longest. This package has ten. */
const PRIORITIES = 16;

/**
 * The sizes of the lists of one queue, and its jobs that were queued first. `KEYS`: `wait`, `paused`, `prioritized`, `delayed`,
 * `active`, `waiting-children`, `completed`, `failed`, `meta`; `ARGV`: the prefix of the jobs' keys. Returns whether the queue is
 * paused, the sizes in this order, and the time, options and last start of the first job of each list and each priority.
 */
export const QUEUE_FIGURES = `
local function ask(command, ...)
  local answer = redis.pcall(command, ...)
  if type(answer) == 'table' and answer.err then return nil end
  return answer
end
local sizes = {}
for index, command in ipairs({ 'LLEN', 'LLEN', 'ZCARD', 'ZCARD', 'LLEN', 'ZCARD', 'ZCARD', 'ZCARD' }) do
  sizes[index] = ask(command, KEYS[index]) or 0
end
local jobs = {}
local function add(id)
  local fields = id and ask('HMGET', ARGV[1] .. id, 'timestamp', 'opts', 'processedOn')
  if fields then jobs[#jobs + 1] = fields end
end
add(ask('LINDEX', KEYS[1], -1))
add(ask('LINDEX', KEYS[2], -1))
local from = '-inf'
for priority = 1, ${PRIORITIES} do
  local first = ask('ZRANGEBYSCORE', KEYS[3], from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1) or {}
  if not first[1] then break end
  add(first[1])
  from = string.format('%.0f', (math.floor(tonumber(first[2]) / 4294967296) + 1) * 4294967296)
end
return { ask('HGET', KEYS[9], 'paused') or '0', sizes, jobs }
`;
