import { InvalidArgumentsError } from '../errors.js';
import type { TaskDefinition } from './task-definition.js';

/**
 * Checks the arguments with the task's schema.
 *
 * @returns the output of the schema; the arguments themselves when the task has no schema
 * @throws InvalidArgumentsError with every problem and its path
 */
export async function validateArguments(
  { name, schema }: TaskDefinition,
  args: readonly unknown[],
): Promise<readonly unknown[]> {
  if (!schema) return args;
  const result = await schema['~standard'].validate(args);
  if (!result.issues) return Array.isArray(result.value) ? result.value : args;
  const issues = result.issues.map(({ message, path = [] }) => ({ path: pathText(path), message }));
  throw new InvalidArgumentsError(
    `The arguments of task "${name}" are not valid: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
    issues,
  );
}

/** The path as text: `args[0].email`. */
function pathText(path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  return path.reduce<string>((text, segment) => {
    const key = typeof segment === 'object' ? segment.key : segment;
    return typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`;
  }, 'args');
}
