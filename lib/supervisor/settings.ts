import { availableParallelism } from 'node:os';
import { parseTimerDuration, type Duration } from '../duration.js';
import { ConfigurationError } from '../errors.js';

/** The options of the command `worker`, as texts of the command line. */
export interface WorkerFlags {
  readonly queues?: string;
  readonly concurrency?: string;
  readonly processes?: string;
  readonly maxTasks?: string;
  readonly maxMemory?: string;
  readonly grace?: string;
  readonly healthPort?: string;
  readonly healthHost?: string;
  readonly watch?: boolean;
}

/** The options of the command `worker`, checked and complete. */
export interface SupervisorSettings {
  readonly queues: readonly string[] | undefined;
  readonly queuesFrom: string | undefined;
  readonly concurrency: number | undefined;
  readonly processes: number;
  readonly maxTasks: number | undefined;
  /** Bytes. */
  readonly maxMemory: number | undefined;
  /** Milliseconds; `undefined`: that of the application. */
  readonly grace: number | undefined;
  readonly health: { readonly host: string; readonly port: number } | undefined;
  readonly watch: boolean;
}

/** The variable of each option, which counts when the command line does not set the option. */
export const VARIABLES = {
  queues: 'TASK_QUEUE_QUEUES',
  concurrency: 'TASK_QUEUE_CONCURRENCY',
  processes: 'TASK_QUEUE_PROCESSES',
  maxTasks: 'TASK_QUEUE_MAX_TASKS',
  maxMemory: 'TASK_QUEUE_MAX_MEMORY',
  grace: 'TASK_QUEUE_GRACE',
  healthPort: 'TASK_QUEUE_HEALTH_PORT',
  healthHost: 'TASK_QUEUE_HEALTH_HOST',
  watch: 'TASK_QUEUE_WATCH',
} as const satisfies Record<keyof WorkerFlags, string>;

/**
 * Checks the options. The command line takes precedence over the environment.
 *
 * @throws ConfigurationError with the option or variable, its value and the cure
 */
export function resolveSettings(flags: WorkerFlags, env: NodeJS.ProcessEnv): SupervisorSettings {
  const read = <T>(option: TextOption, parse: (text: string, name: string) => T): T | undefined => {
    const flag = flags[option];
    const text = flag ?? env[VARIABLES[option]]?.trim();
    return text ? parse(text, flag === undefined ? VARIABLES[option] : nameOf(option)) : undefined;
  };
  const queues = read('queues', (text, name) => ({ names: someNames(text, name), name }));
  // The variable of an application without the command means the same.
  const consumed = env['TASK_QUEUE_CONSUME']?.trim();
  const port = read('healthPort', portOf);
  return {
    queues: queues?.names ?? (consumed ? someNames(consumed, 'TASK_QUEUE_CONSUME') : undefined),
    queuesFrom: queues?.name ?? (consumed ? 'TASK_QUEUE_CONSUME' : undefined),
    concurrency: read('concurrency', wholeNumber),
    processes: read('processes', processesOf) ?? 1,
    maxTasks: read('maxTasks', wholeNumber),
    maxMemory: read('maxMemory', bytesOf),
    grace: read('grace', (text, name) => parseTimerDuration(durationOf(text), name)),
    health: port === undefined ? undefined : { host: read('healthHost', (text) => text) ?? '127.0.0.1', port },
    watch: flags.watch ?? isTrue(env[VARIABLES.watch], VARIABLES.watch),
  };
}

type TextOption = Exclude<keyof WorkerFlags, 'watch'>;

/** `maxTasks` is the option `--max-tasks`. */
function nameOf(option: string): string {
  return `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** An empty list of queues would run nothing. */
function someNames(text: string, name: string): string[] {
  const names = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  if (names.length > 0) return names;
  throw new ConfigurationError(`${name} is ${JSON.stringify(text)}. Name the queues, with commas between them.`);
}

function wholeNumber(text: string, name: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new ConfigurationError(`${name} is ${JSON.stringify(text)}. Give a whole number, at least 1.`);
}

function processesOf(text: string, name: string): number {
  if (text === 'auto') return availableParallelism();
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1 && number <= 1_000) return number;
  throw new ConfigurationError(
    `${name} is ${JSON.stringify(text)}. Give a number of processes, at least 1, or auto: one for each processor.`,
  );
}

const UNITS: Readonly<Record<string, number>> = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

function bytesOf(text: string, name: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmg]b)$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * (UNITS[unit.toLowerCase()] ?? NaN));
  if (bytes >= LEAST_MEMORY) return bytes;
  throw new ConfigurationError(
    `${name} is ${JSON.stringify(text)}. Give the resident memory of one process, at least 32mb: 512mb, 1.5gb.`,
  );
}

/** A process of Node needs more before it has loaded anything. */
const LEAST_MEMORY = 32 * 1024 ** 2;

function portOf(text: string, name: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new ConfigurationError(
    `${name} is ${JSON.stringify(text)}. Give a port, for example 8081; 0 takes a free one.`,
  );
}

/** Milliseconds may be given as a bare number, as in the options of the module. */
function durationOf(text: string): Duration {
  return /^\d+$/.test(text) ? Number(text) : (text as Duration);
}

function isTrue(text: string | undefined, name: string): boolean {
  const value = text?.trim().toLowerCase() ?? '';
  if (['', '0', 'false', 'no'].includes(value)) return false;
  if (['1', 'true', 'yes'].includes(value)) return true;
  throw new ConfigurationError(`${name} is ${JSON.stringify(text)}. Give true or false.`);
}
