import { MOST_RUNS } from '../jobs/unreadable-job.js';
import type { RedisClient } from './client-options.js';

/** Characters of the longest number in the settings of a queue. Lua has no integers beyond. */
const LONGEST_NUMBER = 15;

/** How each script of BullMQ names the function that sends a command. */
const CALL = /^( *)local rcall = redis\.call$/gm;

/**
 * Sends a command, and repairs a key that makes the command fail. A key of another type is removed, because it is not
 * what BullMQ stored there; where a script expects a text, it gets an empty one. A counter of a job that is not a number
 * becomes larger than any right one, so the job counts as unreadable. A counter of a queue begins anew with a number that
 * it did not give yet. Every other error is raised as by `redis.call`, by sending the command once more: a command that
 * fails changes nothing.
 *
 * A setting of a queue that is not a number is removed, too, and so is the number of a rate limit without its duration: the
 * scripts would compare it with a number.
 */
const TOLERANT_CALL = `
local pcalled, typeOf = redis.pcall, type
local remove = function(key, field)
  if field then redis.call('HDEL', key, field) else redis.call('DEL', key) end
  redis.log(redis.LOG_WARNING, 'nestjs-task-queue removed what it cannot read: ' .. key .. ' ' .. (field or ''))
end
local repairedCall = function(reason, command, key, ...)
  local isCounter = string.find(reason, 'not an integer') or string.find(reason, 'overflow')
  local isWrongType = string.find(reason, 'WRONGTYPE', 1, true)
  if isWrongType and command == 'RPOPLPUSH' then
    for _, list in ipairs({ key, (...) }) do
      local kind = redis.call('TYPE', list).ok
      if kind ~= 'list' and kind ~= 'none' then remove(list) end
    end
  elseif command == 'INCR' and (isWrongType or isCounter) then
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
local isNumber = { concurrency = true, max = true, duration = true, ['opts.maxLenEvents'] = true }
local isReadable = function(field, value)
  return not isNumber[field] or (#value <= ${LONGEST_NUMBER} and string.find(value, '^-?%d+$'))
end
local readableSettings = function(values, key, ...)
  local places = {}
  for place, field in ipairs({ ... }) do
    places[field] = place
    if values[place] and not isReadable(field, values[place]) then
      remove(key, field)
      values[place] = false
    end
  end
  if places.max and places.duration and values[places.max] and not values[places.duration] then
    remove(key, 'max')
    values[places.max] = false
  end
  return values
end
local rcall = function(command, key, ...)
  local answer = pcalled(command, key, ...)
  if typeOf(answer) == 'table' then
    if answer.err then return repairedCall(answer.err, command, key, ...) end
    if command == 'HMGET' then return readableSettings(answer, key, ...) end
  elseif answer and command == 'HGET' and not isReadable((...), answer) then
    remove(key, (...))
    return false
  end
  return answer
end`;

/** How the scripts that take a job choose the window of a rate limit. */
const WINDOW =
  /(local limiterDuration = )(\(opts\['limiter'\] and opts\['limiter'\]\['duration'\]\)) or (rateLimitDuration)/g;

/**
 * Makes BullMQ's scripts go on when a key has the wrong type, or a counter or a setting is not a number. Redis does not undo what a
 * script did before an error: by itself, one such key makes a script lose the ids that it has already taken out of their
 * lists, and stops a worker from taking any other job.
 *
 * The window of a stored rate limit takes precedence over the one that a worker declares. By itself, BullMQ combines the
 * stored number of jobs with the declared window.
 */
export function patchScripts<C extends RedisClient>(client: C): C {
  const defineCommand = client.defineCommand.bind(client);
  client.defineCommand = (name, { lua, ...definition }) => {
    const patched = lua.replace(CALL, (_, indent: string) => indent + TOLERANT_CALL).replace(WINDOW, '$1$3 or $2');
    defineCommand(name, { ...definition, lua: patched });
  };
  return client;
}
