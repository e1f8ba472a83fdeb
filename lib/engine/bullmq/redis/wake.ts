/**
 * Stores the marker `KEYS[1]` for which idle workers of a queue wait, unless the queue is paused or no job waits. The further
 * keys: its metadata, and the jobs that wait without and with a priority.
 */
export const WAKE = `
  if redis.call('HEXISTS', KEYS[2], 'paused') == 1 then return end
  if redis.call('LLEN', KEYS[3]) + redis.call('ZCARD', KEYS[4]) > 0 then redis.call('ZADD', KEYS[1], 0, '0') end
`;
