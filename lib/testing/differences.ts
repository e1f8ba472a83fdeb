import { inspect, isDeepStrictEqual } from 'node:util';
import type { EnqueuedTask } from './enqueued-task.js';
import type { AsymmetricMatcher } from './task-source.js';

/** The most tasks that a message lists. */
const LISTED = 5;

/** A task that a test expects. */
export interface ExpectedTask {
  readonly name: string;
  /** Default: any arguments. */
  readonly args?: readonly unknown[] | undefined;
}

export function isExpected(expected: ExpectedTask, { name, args }: EnqueuedTask): boolean {
  return name === expected.name && (expected.args === undefined || isEqual(expected.args, args));
}

/** What was expected, and what was enqueued instead, the nearest first. */
export function missingTask(expected: ExpectedTask, enqueued: readonly EnqueuedTask[]): string {
  const head = `Expected to be enqueued: ${describe(expected)}`;
  if (enqueued.length === 0) return `${head}\nNothing is enqueued.`;
  const nearest = enqueued.toSorted((one, other) => nearness(expected, other) - nearness(expected, one));
  const lines = nearest.slice(0, LISTED).flatMap((task) => [`  ${describe(task)}`, ...differencesOf(expected, task)]);
  const more = nearest.length > LISTED ? [`  and ${nearest.length - LISTED} more`] : [];
  return [head, 'Enqueued instead, the nearest first:', ...lines, ...more].join('\n');
}

/** What is enqueued although a test expects that it is not. */
export function unexpectedTasks(what: string, found: readonly EnqueuedTask[]): string {
  const lines = found.slice(0, LISTED).map((task) => `  ${describe(task)}`);
  const more = found.length > LISTED ? [`  and ${found.length - LISTED} more`] : [];
  return [`Expected not to be enqueued: ${what}`, 'Enqueued:', ...lines, ...more].join('\n');
}

/** A task as messages show it: its name and its arguments. */
export function describe({ name, args }: ExpectedTask): string {
  return args === undefined ? `${name} with any arguments` : `${name}(${args.map(shown).join(', ')})`;
}

function differencesOf({ name, args }: ExpectedTask, task: EnqueuedTask): string[] {
  if (task.name !== name || args === undefined) return [];
  const longest = Math.max(args.length, task.args.length);
  return Array.from({ length: longest }, (_, index) => index)
    .filter((index) => !isEqual(args[index], task.args[index]))
    .map((index) => `      args[${index}]: expected ${shown(args[index])}, enqueued ${shown(task.args[index])}`);
}

/** More for the same task, and then for each equal argument. */
function nearness({ name, args = [] }: ExpectedTask, task: EnqueuedTask): number {
  const equal = args.filter((arg, index) => isEqual(arg, task.args[index])).length;
  const [owner] = name.split('.');
  if (task.name === name) return 10_000 + equal - Math.abs(args.length - task.args.length) / 100;
  return (task.name.split('.')[0] === owner ? 1_000 : 0) + equal;
}

/** Whether a value that came out of JSON is the expected one. A `Date` is equal to its text, `undefined` to nothing. */
function isEqual(expected: unknown, actual: unknown): boolean {
  if (isMatcher(expected)) return expected.asymmetricMatch(actual);
  if (typeof expected !== 'object' || expected === null) return isDeepStrictEqual(expected, actual);
  if ('toJSON' in expected && typeof expected.toJSON === 'function') {
    return isEqual((expected as { toJSON(): unknown }).toJSON(), actual);
  }
  if (typeof actual !== 'object' || actual === null || Array.isArray(expected) !== Array.isArray(actual)) return false;
  const keysOf = (value: object) => Object.keys(value).filter((key) => (value as never)[key] !== undefined);
  const keys = keysOf(expected);
  return (
    keys.length === keysOf(actual).length &&
    keys.every((key) => Object.hasOwn(actual, key) && isEqual((expected as never)[key], (actual as never)[key]))
  );
}

function isMatcher(value: unknown): value is AsymmetricMatcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    'asymmetricMatch' in value &&
    typeof value.asymmetricMatch === 'function'
  );
}

function shown(value: unknown): string {
  return isMatcher(value)
    ? value.toString()
    : inspect(value, { breakLength: Infinity, depth: 4, maxStringLength: 200 });
}
