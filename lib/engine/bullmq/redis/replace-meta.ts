/**
 * Replaces the text of the field ARGV[1] of the hash KEYS[1] by ARGV[3] if it is ARGV[2]; no text is an empty one. Returns the
 * values of the fields from ARGV[4] on.
 */
export const REPLACE_META = `
local key, field, before, next = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if (redis.call('HGET', key, field) or '') == before then
  if next == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, next) end
end
return redis.call('HMGET', key, unpack(ARGV, 4))`;
