import { MOST_RUNS } from '../jobs/unreadable-job.js';
import type { RedisClient } from './client-options.js';

/** Characters of the longest number in the settings of a queue. Lua has no integers beyond. */
const LONGEST_NUMBER = 15;

/** How each script of BullMQ names the function that sends a command. */
const CALL = /\blocal rcall = redis\.call;?$/gm;

/** How the scripts read settings of a queue that they compare with numbers, or that they pass to Redis as a number. */
const SETTINGS = /rcall\("HMGET", (queueMetaKey, [^)]*)\)/g;
const SETTING = /rcall\("HGET", ((?:queueMetaKey|metaKey|KEYS\[2\]), "(?:concurrency|max|opts\.maxLenEvents)")\)/g;

/**
 * Sends a command, and repairs a key that makes the command fail. A key of another type is removed, because it is not
 * what BullMQ stored there; where a script expects a text, it gets an empty one. A counter of a job that is not a number
 * becomes larger than any right one, so the job counts as unreadable. A counter of a queue begins anew with a number that
 * it did not give yet. Every other error is raised as by `redis.call`, by sending the command once more: a command that
 * fails changes nothing.
 *
 * Every script defines these functions each time it runs, and each of its commands passes here, while Redis does nothing
 * else. So whatever only a repair needs is inside of the function that repairs.
 */
const TOLERANT_CALL = `
local pcalled, typeOf = redis.pcall, type
local repairedCall = function(reason, command, key, ...)
  local isCounter = string.find(reason, 'not an integer') or string.find(reason, 'overflow')
  local isWrongType = string.find(reason, 'WRONGTYPE', 1, true)
  local remove = function(name)
    redis.call('DEL', name)
    redis.log(redis.LOG_WARNING, 'nestjs-task-queue removed what it cannot read: ' .. name)
  end
  if isWrongType and command == 'RPOPLPUSH' then
    for _, list in ipairs({ key, (...) }) do
      local kind = redis.call('TYPE', list).ok
      if kind ~= 'list' and kind ~= 'none' then remove(list) end
    end
  elseif (command == 'INCR' or command == 'INCRBY') and (isWrongType or isCounter) then
    remove(key)
    redis.call('SET', key, string.format('%.0f', redis.call('TIME')[1] * 1000))
  elseif isWrongType then
    remove(key)
    if command == 'GET' then return '' end
  elseif command == 'HINCRBY' and isCounter then
    redis.call('HSET', key, (...), ${MOST_RUNS + 1})
  end
  return redis.call(command, key, ...)
end
local rcall = function(...)
  local answer = pcalled(...)
  if typeOf(answer) == 'table' and answer.err then return repairedCall(answer.err, ...) end
  return answer
end`;

/**
 * Reads settings of a queue. One that is not a number is removed, and so is the number of a rate limit without its
 * duration: the scripts would compare it with a number.
 */
const READABLE_SETTINGS = `
local removeSetting = function(key, field)
  redis.call('HDEL', key, field)
  redis.log(redis.LOG_WARNING, 'nestjs-task-queue removed what it cannot read: ' .. key .. ' ' .. field)
  return false
end
local settingOf = function(key, field)
  local value = rcall('HGET', key, field)
  if value and (#value > ${LONGEST_NUMBER} or not string.find(value, '^-?%d+$')) then return removeSetting(key, field) end
  return value
end
local settingsOf = function(key, ...)
  local values = rcall('HMGET', key, ...)
  local max, duration
  for place = 1, #values do
    local field = select(place, ...)
    if values[place] and field ~= 'paused' then values[place] = settingOf(key, field) end
    if field == 'max' then max = place elseif field == 'duration' then duration = place end
  end
  if max and duration and values[max] and not values[duration] then values[max] = removeSetting(key, 'max') end
  return values
end`;

/** How the scripts that take a job choose the window of a rate limit. */
const WINDOW =
  /(local limiterDuration = )(\(opts\['limiter'\] and opts\['limiter'\]\['duration'\]\)) or (rateLimitDuration)/g;

/** How the scripts that take a job mark the queue for the next worker, and the keys that show whether a job is left. */
const MARK = /\baddBaseMarkerIfNeeded\(markerKey, false\)(?=(?:\s*--[^\n]*)*\s*return \{rcall\("HGETALL")/;
const KEYS_OF_JOBS = ['KEYS[1] wait key', 'KEYS[3] prioritized key'];
const MARK_IF_JOB_IS_LEFT = 'if rcall("LLEN", KEYS[1]) > 0 or rcall("ZCARD", KEYS[3]) > 0 then $& end';

/**
 * Makes BullMQ's scripts go on when a key has the wrong type, or a counter or a setting is not a number. Redis does not undo what a
 * script did before an error: by itself, one such key makes a script lose the ids that it has already taken out of their
 * lists, and stops a worker from taking any other job.
 *
 * The window of a stored rate limit takes precedence over the one that a worker declares. By itself, BullMQ combines the
 * stored number of jobs with the declared window.
 *
 * A script that has taken a job wakes the next worker only when another job is left. By itself, BullMQ wakes one after each job, which
 * asks for a job in vain: a job that comes alone costs two more commands.
 */
export function patchScripts<C extends RedisClient>(client: C): C {
  const defineCommand = client.defineCommand.bind(client);
  client.defineCommand = (name, { lua, ...definition }) => {
    const readable = lua.replace(SETTINGS, 'settingsOf($1)').replace(SETTING, 'settingOf($1)');
    const functions = TOLERANT_CALL + (readable === lua ? '' : READABLE_SETTINGS);
    const tolerant = readable.replace(CALL, () => functions).replace(WINDOW, '$1$3 or $2');
    const patched = KEYS_OF_JOBS.every((key) => lua.includes(key))
      ? tolerant.replace(MARK, MARK_IF_JOB_IS_LEFT)
      : tolerant;
    defineCommand(name, { ...definition, lua: patched });
  };
  return client;
}
