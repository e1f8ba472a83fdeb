import { sizeBeyond, toJson, type Json } from '../engine/json.js';
import { PayloadTooLargeError } from '../errors.js';

/**
 * The arguments of a task as JSON.
 *
 * @param about the path of the arguments and the name of the task, for errors; `maxPayload` in bytes of JSON
 * @throws NotSerializableError, PayloadTooLargeError when the arguments cannot be stored
 */
export function jsonArguments(
  args: readonly unknown[],
  { path, task, maxPayload }: { readonly path: string; readonly task: string; readonly maxPayload: number },
): readonly Json[] {
  const json = toJson([...args], path) as readonly Json[];
  const size = sizeBeyond(json, maxPayload);
  if (size === undefined) return json;
  const which = path === 'args' ? '' : `${path} `;
  throw new PayloadTooLargeError(`The arguments ${which}of task "${task}"`, size, maxPayload);
}
