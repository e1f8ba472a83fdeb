import { parseMemory, type MemorySize } from '../memory-size.js';
import { ConfigurationError } from '../errors.js';

/** Limits of the child process that runs a task. */
export interface IsolateOptions {
  /**
   * The most resident memory that the child process may take while it runs the task, as bytes or a text such as `'512mb'` or `'1.5gb'`:
   * at least 64 MB, because the application itself is a part of it. A process that takes more is killed, and the attempt ends as one
   * whose worker was lost. Default: no limit.
   */
  readonly memory?: MemorySize;
}

/** Checked options; `memory` in bytes. */
export interface IsolateSettings {
  readonly memory: number | undefined;
}

/** A process of Node with the smallest application takes about as much. */
const LEAST_MEMORY = 64 * 1024 ** 2;

/** @throws ConfigurationError naming the option and its value */
export function checkIsolate(isolate: boolean | IsolateOptions, what: string): IsolateSettings | undefined {
  if (isolate === false) return undefined;
  if (isolate === true) return { memory: undefined };
  const given: unknown = isolate;
  const keys = typeof given === 'object' && given !== null ? Object.keys(given) : ['?'];
  if (keys.some((key) => key !== 'memory')) {
    throw new ConfigurationError(
      `${what} is ${JSON.stringify(isolate)}. Use true, false, or a memory limit: { memory: '512mb' }.`,
    );
  }
  const { memory } = isolate;
  return { memory: memory === undefined ? undefined : parseMemory(memory, `memory in ${what}`, LEAST_MEMORY) };
}
