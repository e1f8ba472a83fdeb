/**
 * Removes jobs that ended before a time, as BullMQ's `cleanJobsInSet` does, but for members of workflows: as long as the job
 * that waited for a member is stored, the member is kept, and looked at again after its time to live.
 *
 * `KEYS[1]` the set of ended jobs; `ARGV` the time, the time now, the most jobs, the prefix of the queue's keys. Returns the
 * number of jobs that it looked at.
 */
export const REMOVE_ENDED = `
  local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, tonumber(ARGV[3]))
  for _, id in ipairs(ids) do
    local key = ARGV[4] .. id
    local kind = redis.call('TYPE', key)['ok']
    local fields = kind == 'hash' and redis.call('HMGET', key, 'parentKey', 'deid') or { false, false }
    if fields[1] and redis.call('EXISTS', fields[1]) == 1 then
      redis.call('ZADD', KEYS[1], ARGV[2], id)
    else
      local unique = fields[2] and ARGV[4] .. 'de:' .. fields[2]
      if unique and redis.call('GET', unique) == id then redis.call('DEL', unique) end
      redis.call('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed', key .. ':unsuccessful')
      redis.call('ZREM', KEYS[1], id)
    end
  end
  return #ids
`;
