import { createHash } from 'node:crypto';
import type { Uniqueness } from '../engine/task.js';
import type { Json } from '../engine/json.js';
import { ConfigurationError, InvalidArgumentsError } from '../errors.js';
import { isThenable } from '../not-a-promise.js';
import type { TaskDefinition } from './task-definition.js';
import type { EnqueueOptions, UniqueOption } from './task-options.js';

/** The options of a call that make it safe to repeat. */
type CallKey = Pick<EnqueueOptions, 'idempotencyKey' | 'idempotencyScope'>;

/** Only a digest of a key is stored. The limit keeps clients from sending data in place of a key. */
const MAX_KEY = 255;

/**
 * The rule by which this call and later equal calls share one task; `undefined` when each call is a task of its own. Keys count under the
 * first name that the task ever had, so that a call meets those which an earlier version of the code stored.
 *
 * @throws ConfigurationError when both the task and the call have a rule
 * @throws InvalidArgumentsError when a key or a scope is not a text of 1 to 255 characters without NUL. The key often
 * comes from a client, as the arguments do
 */
export function uniquenessOf(
  { name, aliases: [firstName = name], unique }: TaskDefinition,
  args: readonly Json[],
  { idempotencyKey, idempotencyScope }: CallKey = {},
): Uniqueness | undefined {
  if (idempotencyKey !== undefined) {
    if (unique) {
      throw new ConfigurationError(
        `Task "${name}" is unique, so with({ idempotencyKey }) cannot be used with it: the two rules could disagree. Leave out one of them.`,
      );
    }
    const parts = [firstName, checkKey(idempotencyKey, 'idempotencyKey', `The idempotencyKey of task "${name}"`)];
    if (idempotencyScope !== undefined) {
      parts.push(checkKey(idempotencyScope, 'idempotencyScope', `The idempotencyScope of task "${name}"`));
    }
    return { key: digest('idempotent', ...parts), while: 'retained', idempotencyKey };
  }
  if (!unique) return undefined;
  const key = unique.key ? keyOf(unique.key, args, name) : canonical(args);
  return { key: digest('unique', firstName, key), while: unique.while };
}

/** The value depends on the arguments, so every wrong value is an error of the arguments. */
function keyOf(keyFunction: NonNullable<UniqueOption['key']>, args: readonly Json[], task: string): string {
  let key: unknown;
  try {
    key = keyFunction(...args);
  } catch (cause) {
    // The message of the cause stays out of this message, which HTTP clients see.
    const error = new InvalidArgumentsError(`unique.key of task "${task}" threw an error for these arguments.`);
    error.cause = cause;
    throw error;
  }
  // A promise is refused below. Its rejection would end the process.
  if (isThenable(key)) Promise.resolve(key).catch(() => undefined);
  return checkKey(key, 'unique.key', `The key that unique.key of task "${task}" returned`);
}

/** @param path names the value in the issues of the error */
function checkKey(key: unknown, path: string, what: string): string {
  const fault = faultOf(key);
  if (fault === undefined) return key as string;
  const message = `${what} ${fault}. Give a text of 1 to ${MAX_KEY} characters.`;
  throw new InvalidArgumentsError(message, [{ path, message }]);
}

function faultOf(key: unknown): string | undefined {
  if (typeof key === 'object' && key !== null) return Array.isArray(key) ? 'is a list' : 'is an object';
  if (typeof key === 'function') return 'is a function';
  if (typeof key !== 'string') return `is ${String(key)}`;
  if (key.length < 1 || key.length > MAX_KEY) return `is ${key.length} characters long`;
  return key.includes('\u0000') ? 'contains a NUL character' : undefined;
}

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 32);
}

/** JSON with sorted keys, so that objects with the same content have the same text. */
function canonical(value: Json): string {
  return JSON.stringify(value, (_key, item: Json) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
