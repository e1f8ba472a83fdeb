import { inspect } from 'node:util';
import { ConfigurationError, InvalidArgumentsError } from '../errors.js';
import { readable } from '../thrown-text.js';
import type { TaskDefinition } from './task-definition.js';

/**
 * Checks the arguments with the task's schema.
 *
 * @param root the name of the arguments in paths
 * @returns the output of the schema; the arguments themselves when the task has no schema
 * @throws InvalidArgumentsError with every problem and its path
 * @throws ConfigurationError when the schema answers with something else than a Standard Schema does
 */
export async function validateArguments(
  { name, schema }: TaskDefinition,
  args: readonly unknown[],
  root = 'args',
): Promise<readonly unknown[]> {
  if (!schema) return args;
  // The type of the answer is a promise of the application, which JavaScript does not check.
  const answer: unknown = await schema['~standard'].validate(args);
  if (!isAnswer(answer)) throw noStandardSchema(name, answer === null ? 'null' : typeof answer);
  const { issues: found, value } = answer;
  if (!found) return Array.isArray(value) ? value : args;
  const issues = readable(() =>
    found.map(({ message, path = [] }) => ({ path: pathText(root, path), message: textOf(message) })),
  );
  if (!issues) throw noStandardSchema(name, 'issues of another form');
  throw new InvalidArgumentsError(
    `The arguments of task "${name}" are not valid: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
    issues,
  );
}

/** A schema may leave the message out, or give something else than a text. */
function textOf(message: unknown): string {
  return typeof message === 'string' ? message : inspect(message);
}

type Segment = PropertyKey | { readonly key: PropertyKey };

/** What a Standard Schema answers. */
interface Answer {
  readonly value?: unknown;
  readonly issues?: readonly { readonly message: string; readonly path?: readonly Segment[] }[] | null;
}

function isAnswer(answer: unknown): answer is Answer {
  return typeof answer === 'object' && answer !== null;
}

/** @param answer what kind of value it is: the value itself may contain secrets */
function noStandardSchema(task: string, answer: string): ConfigurationError {
  return new ConfigurationError(
    `The schema of task "${task}" answered with ${answer}. A Standard Schema answers with { value }, or with { issues }, a list of { message, path }.`,
  );
}

/** The path as text: `args[0].email`. */
function pathText(root: string, path: readonly Segment[]): string {
  return path.reduce<string>((text, segment) => {
    const key = typeof segment === 'object' ? segment.key : segment;
    return typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`;
  }, root);
}
