import { createHash } from 'node:crypto';
import type { Uniqueness } from '../engine/task.js';
import type { Json } from '../engine/json.js';
import { ConfigurationError } from '../errors.js';
import type { TaskDefinition } from './task-definition.js';

/**
 * What keeps equal calls of a task away; `undefined` when each call is a task of its own.
 *
 * @throws ConfigurationError when a call has two rules at once, or a key is no key
 */
export function uniquenessOf(
  { name, unique }: TaskDefinition,
  args: readonly Json[],
  idempotencyKey: string | undefined,
): Uniqueness | undefined {
  if (idempotencyKey !== undefined) {
    if (unique) {
      throw new ConfigurationError(
        `Task "${name}" is unique, so with({ idempotencyKey }) cannot be used with it: what would count, the key or the arguments?`,
      );
    }
    checkKey(idempotencyKey, 'with({ idempotencyKey })');
    return { key: digest('idempotent', name, idempotencyKey), while: 'retained', idempotencyKey };
  }
  if (!unique) return undefined;
  const key = unique.key
    ? checkKey(unique.key(...args), `The key that unique.key of task "${name}" gave`)
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

/** JSON with sorted keys, so that objects of the same content are equal. */
function canonical(value: Json): string {
  return JSON.stringify(value, (_key, item: Json) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
