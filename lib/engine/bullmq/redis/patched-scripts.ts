import { MOST_RUNS } from '../jobs/unreadable-job.js';
import type { RedisClient } from './client-options.js';

/** How each script of BullMQ names the function that sends a command. */
const CALL = /^( *)local rcall = redis\.call$/gm;

/**
 * Sends a command, and repairs a key that makes the command fail. A key of another type is removed, because it is not
 * what BullMQ stored there; where a script expects a text, it gets an empty one. A counter that is not a number becomes
 * larger than any right one, so the job counts as unreadable. Every other error is raised as by `redis.call`, by sending
 * the command once more: a command that fails changes nothing. A command with two lists is not repaired, because either
 * of them may be the wrong one.
 */
const TOLERANT_CALL = `
local pcalled, typeOf = redis.pcall, type
local repairedCall = function(reason, command, key, ...)
  if string.find(reason, 'WRONGTYPE', 1, true) and command ~= 'RPOPLPUSH' then
    redis.call('DEL', key)
    if command == 'GET' then return '' end
  elseif command == 'HINCRBY' and (string.find(reason, 'not an integer') or string.find(reason, 'overflow')) then
    redis.call('HSET', key, (...), ${MOST_RUNS + 1})
  end
  return redis.call(command, key, ...)
end
local rcall = function(...)
  local answer = pcalled(...)
  if typeOf(answer) ~= 'table' or not answer.err then return answer end
  return repairedCall(answer.err, ...)
end`;

/** How the scripts that take a job choose the window of a rate limit. */
const WINDOW =
  /(local limiterDuration = )(\(opts\['limiter'\] and opts\['limiter'\]\['duration'\]\)) or (rateLimitDuration)/g;

/**
 * Makes BullMQ's scripts go on when a key has the wrong type or a counter is not a number. Redis does not undo what a
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
