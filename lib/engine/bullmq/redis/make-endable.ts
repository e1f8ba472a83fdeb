/**
 * Makes the hash KEYS[1] of a job such that BullMQ's scripts can end the job:
 *
 * - A key of another type is removed, and a hash with the options ARGV[1] takes its place.
 * - The reference to the parent is written anew from the parent's key, if it is not JSON. The parent goes on without this
 *   member.
 * - Counters that are not numbers are removed, and so are lists of members that are none, and a reference to a
 *   deduplication key (behind the prefix ARGV[2]) that is not a text.
 */
export const MAKE_ENDABLE = `
local job = KEYS[1]
local function typeOf(key) return redis.call('TYPE', key).ok end
if typeOf(job) ~= 'hash' then
  redis.call('DEL', job)
  redis.call('HSET', job, 'opts', ARGV[1])
end
local function isObject(text)
  local ok, value = pcall(cjson.decode, text)
  return ok and type(value) == 'table'
end
local parent, parentKey = unpack(redis.call('HMGET', job, 'parent', 'parentKey'))
if parent and not isObject(parent) then
  local queue, id = string.match(parentKey or '', '^(.*):([^:]*)$')
  redis.call('HDEL', job, 'parent')
  if id then redis.call('HSET', job, 'parent', cjson.encode({ id = id, queueKey = queue, cpof = true })) end
end
for _, counter in ipairs({ 'atm', 'ats', 'stc' }) do
  local value = redis.call('HGET', job, counter)
  if value and not string.match(value, '^%d%d?%d?%d?%d?%d?%d?%d?%d?%d?$') then redis.call('HDEL', job, counter) end
end
for suffix, expected in pairs({ dependencies = 'set', unsuccessful = 'zset', processed = 'hash', failed = 'hash' }) do
  local key = job .. ':' .. suffix
  if typeOf(key) ~= expected then redis.call('DEL', key) end
end
local deduplication = redis.call('HGET', job, 'deid')
if deduplication and typeOf(ARGV[2] .. deduplication) ~= 'string' then redis.call('HDEL', job, 'deid') end
`;
