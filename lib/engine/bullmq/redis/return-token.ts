/**
 * Takes one from BullMQ's counter of the jobs that were started in the current window of a rate limit. A job that was taken
 * before the window began is not among them.
 *
 * `KEYS[1]` the counter; `ARGV` the window and the time since the job was taken, in milliseconds.
 */
export const RETURN_TOKEN = `
  local left = redis.call('PTTL', KEYS[1])
  local used = tonumber(redis.call('GET', KEYS[1]) or '0')
  if left > 0 and used > 0 and used < 1e15 and ARGV[1] - left >= tonumber(ARGV[2]) then redis.call('DECR', KEYS[1]) end
`;
