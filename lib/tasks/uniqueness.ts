import { createHash } from 'node:crypto';
import type { Uniqueness } from '../engine/task.js';
import type { Json } from '../engine/json.js';
import { ConfigurationError } from '../errors.js';
import type { TaskDefinition } from './task-definition.js';

/**
 * The rule by which this call and later equal calls share one task; `undefined` when each call is a task of its own.
 *
 * @throws ConfigurationError when both the task and the call have a rule, or when a key is not a text of 1 to 255
 * characters
 */
export function uniquenessOf(
  { name, unique }: TaskDefinition,
  args: readonly Json[],
  idempotencyKey: string | undefined,
): Uniqueness | undefined {
  if (idempotencyKey !== undefined) {
    if (unique) {
      throw new ConfigurationError(
        `Task "${name}" is unique, so with({ idempotencyKey }) cannot be used with it: the two rules could disagree. Leave out one of them.`,
      );
    }
    checkKey(idempotencyKey, 'with({ idempotencyKey })');
    return { key: digest('idempotent', name, idempotencyKey), while: 'retained', idempotencyKey };
  }
  if (!unique) return undefined;
  const key = unique.key
    ? checkKey(unique.key(...args), `The key that unique.key of task "${name}" returned`)
    : canonical(args);
  return { key: digest('unique', name, key), while: unique.while };
}

function checkKey(key: unknown, what: string): string {
  if (typeof key === 'string' && key.length >= 1 && key.length <= 255) return key;
  throw new ConfigurationError(
    `${what} is ${typeof key === 'string' ? `${key.length} characters long` : String(key)}. Give 1 to 255 characters.`,
  );
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
