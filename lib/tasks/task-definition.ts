import { parseDuration, type Duration } from '../duration.js';
import type { Backoff } from '../engine/task.js';
import { isQueueName } from '../engine/task-id.js';
import { ConfigurationError } from '../errors.js';
import { checkFields, refuseUnknown, type FieldsOf } from '../option-fields.js';
import { notAPromise } from '../not-a-promise.js';
import { checkClassName } from './class-name.js';
import { checkBatch, type BatchSettings } from './task-batch.js';
import { checkIsolate, type IsolateSettings } from './task-isolation.js';
import type { TaskContract } from './task-contract.js';
import type { BackoffOption, ErrorClass, ErrorFilter, TaskOptions, UniqueOption } from './task-options.js';
import { declarationsOf } from './task.decorator.js';

/** A task's declaration with every default filled in and every option checked. Durations are milliseconds. */
export interface TaskDefinition {
  readonly name: string;
  /** Earlier names, under which calls may be stored. */
  readonly aliases: readonly string[];
  readonly queue: string;
  readonly retries: number;
  readonly backoff: Backoff;
  readonly timeout: number | undefined;
  readonly slow: number | undefined;
  readonly expires: number | undefined;
  readonly priority: number;
  readonly resultTtl: number | undefined;
  readonly ignoreResult: boolean;
  /** Whether an error is worth another attempt, as `retryOn` and `giveUpOn` decide. */
  readonly mayRetry: (error: unknown) => boolean;
  readonly unique: UniqueOption | undefined;
  readonly schema: TaskOptions['schema'];
  readonly delivery: NonNullable<TaskOptions['delivery']>;
  /** Whether the data of a job that another producer stored is the argument of the method. */
  readonly acceptsJobs: boolean;
  readonly batch: BatchSettings | undefined;
  /** The limits of the child process that runs the task; `undefined`: the task runs in this process. */
  readonly isolate: IsolateSettings | undefined;
  /** Where the task is declared, for messages: `ReportTasks.build`. */
  readonly origin: string;
}

export const DEFAULT_QUEUE = 'default';

const TASK_OPTIONS: FieldsOf<TaskOptions> = {
  name: true,
  aliases: true,
  queue: true,
  retries: true,
  backoff: true,
  timeout: true,
  isolate: true,
  slow: true,
  expires: true,
  priority: true,
  retryOn: true,
  giveUpOn: true,
  unique: true,
  schema: true,
  resultTtl: true,
  ignoreResult: true,
  delivery: true,
  accepts: true,
  batch: true,
};

/**
 * Logs show the name and each task stores it, so its length is bounded. BullMQ and Redis set no bound of their own. Half a surrogate
 * pair would become another character in a store. A leading "$" is reserved for tasks of this package.
 */
const TASK_NAME = /^(?!\$)[^\s\p{Cc}\p{Cs}]{1,200}$/u;

/**
 * Merges, checks and completes the options of a task.
 *
 * @param defaults the module's `defaults`; the task's own options take precedence
 * @param origin where the task is declared; also the task's name when the options have none
 * @throws ConfigurationError naming the task, the option and the value
 */
export function defineFrom(options: TaskOptions, defaults: TaskOptions, origin: string): TaskDefinition {
  const name = options.name ?? origin;
  const describe = (option: string) => `${option} of task "${name}"`;
  refuseUnknown<TaskOptions>(options, TASK_OPTIONS, describe);
  const merged = { ...defaults, ...withoutUndefined(options) };
  return {
    name: checkTaskName(name, `The name ${JSON.stringify(name)} of ${origin}`),
    aliases: checkAliases(options.aliases ?? [], describe('aliases')).filter((alias) => alias !== name),
    queue: checkQueueName(merged.queue ?? DEFAULT_QUEUE, describe('queue')),
    retries: checkRetries(merged.retries ?? 0, describe('retries')),
    backoff: parseBackoff(merged.backoff ?? 'exponential', describe('backoff')),
    timeout: merged.timeout === undefined ? undefined : parseDuration(merged.timeout, describe('timeout')),
    slow: merged.slow === undefined ? undefined : checkSlow(merged.slow, describe('slow')),
    expires: merged.expires === undefined ? undefined : parseDuration(merged.expires, describe('expires')),
    priority: checkPriority(merged.priority ?? 0, describe('priority')),
    resultTtl: merged.resultTtl === undefined ? undefined : parseDuration(merged.resultTtl, describe('resultTtl')),
    ignoreResult: checkIgnoreResult(merged.ignoreResult ?? false, describe('ignoreResult')),
    mayRetry: retryFilter(merged.retryOn, merged.giveUpOn, describe),
    unique: merged.unique && checkUnique(merged.unique, describe('unique')),
    schema: merged.schema && checkSchema(merged.schema, describe('schema')),
    delivery: checkDelivery(merged.delivery ?? 'at-least-once', describe('delivery')),
    acceptsJobs: checkAccepts(options.accepts, describe('accepts')),
    batch: options.batch && checkBatch(options.batch, describe('batch')),
    isolate: isolationOf(options, merged, describe),
    origin,
  };
}

/**
 * The definitions of a class's tasks, by method. The default name of an inherited task has the name of this class.
 *
 * @throws ConfigurationError when an option is wrong, a method cannot be a task, or a default name cannot be trusted
 */
export function definitionsOf(target: Function, defaults: TaskOptions): Map<string, TaskDefinition> {
  return new Map(
    declarationsOf(target).map(({ method, options }) => {
      if (options.name === undefined) checkClassName(target, method);
      return [method, defineFrom(options, defaults, `${target.name}.${method}`)];
    }),
  );
}

/** The definition of the task of a contract. @throws ConfigurationError when an option of the contract is wrong */
export function definitionOfContract(contract: TaskContract, defaults: TaskOptions): TaskDefinition {
  return defineFrom({ ...contract.options, name: contract.name }, defaults, contract.name);
}

function isolationOf(
  { batch }: TaskOptions,
  { isolate = false }: TaskOptions,
  describe: (option: string) => string,
): IsolateSettings | undefined {
  const settings = checkIsolate(isolate, describe('isolate'));
  if (!settings || !batch) return settings;
  throw new ConfigurationError(
    `${describe('batch')} cannot be combined with isolate. Set isolate: false, or let the method of the batch enqueue isolated tasks.`,
  );
}

function checkTaskName(name: string, what: string): string {
  if (typeof name === 'string' && TASK_NAME.test(name)) return name;
  throw new ConfigurationError(`${what} is no task name: 1 to 200 characters without spaces, not beginning with "$".`);
}

function checkAliases(aliases: readonly string[], what: string): readonly string[] {
  if (!Array.isArray(aliases) || !aliases.every((alias) => typeof alias === 'string')) {
    throw new ConfigurationError(`${what} is ${JSON.stringify(aliases)}. Give a list of earlier names of the task.`);
  }
  return aliases.map((alias: string) => checkTaskName(alias, `${JSON.stringify(alias)} in ${what}`));
}

export function checkQueueName(queue: string, what: string): string {
  if (isQueueName(queue)) return queue;
  throw new ConfigurationError(
    `${what} is ${JSON.stringify(queue)}, which is no queue name: 1 to 63 letters, digits, "_" or "-", beginning with a letter or digit.`,
  );
}

function checkDelivery(delivery: string, what: string): TaskDefinition['delivery'] {
  if (delivery === 'at-least-once' || delivery === 'at-most-once') return delivery;
  throw new ConfigurationError(`${what} is ${JSON.stringify(delivery)}. Use 'at-least-once' or 'at-most-once'.`);
}

function checkIgnoreResult(ignoreResult: boolean, what: string): boolean {
  if (typeof ignoreResult === 'boolean') return ignoreResult;
  throw new ConfigurationError(`${what} is ${JSON.stringify(ignoreResult)}. Use true or false.`);
}

function checkAccepts(accepts: unknown, what: string): boolean {
  if (accepts === undefined || accepts === 'job') return accepts === 'job';
  throw new ConfigurationError(`${what} is ${JSON.stringify(accepts)}. Use 'job', or leave it out.`);
}

function checkSlow(slow: Duration, what: string): number {
  const milliseconds = parseDuration(slow, what);
  if (milliseconds >= 1) return milliseconds;
  throw new ConfigurationError(`${what} is ${JSON.stringify(slow)}, so every run would be slow. Give at least 1 ms.`);
}

export function checkRetries(retries: number, what: string): number {
  if (Number.isInteger(retries) && retries >= 0 && retries <= 1_000) return retries;
  throw new ConfigurationError(`${what} is ${String(retries)}. Give a whole number from 0 to 1000.`);
}

export function checkPriority(priority: number, what: string): number {
  if (Number.isInteger(priority) && priority >= 0 && priority <= 9) return priority;
  throw new ConfigurationError(`${what} is ${String(priority)}. Give a whole number from 0 (default) to 9 (first).`);
}

type BackoffSettings = Exclude<BackoffOption, string>;

const BACKOFF: FieldsOf<BackoffSettings> = { type: true, delay: true, max: true, jitter: true };

export function parseBackoff(option: BackoffOption, what: string): Backoff {
  if (typeof option !== 'string') checkFields<BackoffSettings>(option, what, BACKOFF, (name) => `${name} in ${what}`);
  const { type, delay = '1s', max = '10m', jitter = 0.5 } = typeof option === 'string' ? { type: option } : option;
  if (type !== 'fixed' && type !== 'exponential') {
    throw new ConfigurationError(`${what} is ${JSON.stringify(type)}. Use 'fixed' or 'exponential'.`);
  }
  if (!(jitter >= 0 && jitter <= 1)) {
    throw new ConfigurationError(`The jitter in ${what} is ${String(jitter)}. Give a share from 0 to 1.`);
  }
  return {
    type,
    delay: parseDuration(delay, `The delay in ${what}`),
    max: parseDuration(max, `The max in ${what}`),
    jitter,
  };
}

function retryFilter(
  retryOn: ErrorFilter | undefined,
  giveUpOn: ErrorFilter | undefined,
  describe: (option: string) => string,
): (error: unknown) => boolean {
  const wanted = retryOn === undefined ? () => true : errorMatcher(retryOn, describe('retryOn'));
  const hopeless = giveUpOn === undefined ? () => false : errorMatcher(giveUpOn, describe('giveUpOn'));
  return (error) => !hopeless(error) && wanted(error);
}

function errorMatcher(filter: ErrorFilter, what: string): (error: unknown) => boolean {
  if (typeof filter === 'function' && !isErrorClass(filter)) {
    const decides = filter as (error: unknown) => boolean;
    return (error) => notAPromise(decides(error), what);
  }
  const classes: readonly unknown[] = Array.isArray(filter) ? filter : [filter];
  for (const item of classes) {
    if (!isErrorClass(item)) throw new ConfigurationError(`${what} contains ${String(item)}, which is no error class.`);
  }
  return (error) => classes.some((item) => error instanceof (item as ErrorClass));
}

function isErrorClass(value: unknown): value is ErrorClass {
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error);
}

const UNIQUE: FieldsOf<UniqueOption> = { key: true, while: true };

function checkUnique(unique: UniqueOption, what: string): UniqueOption {
  if (typeof unique === 'object') refuseUnknown<UniqueOption>(unique, UNIQUE, (name) => `${name} in ${what}`);
  const { while: until, key } = unique;
  if (!['pending', 'running', 'retained'].includes(until) || (key !== undefined && typeof key !== 'function')) {
    throw new ConfigurationError(
      `${what} must have the form { while: 'pending' | 'running' | 'retained', key?: (...args) => string }.`,
    );
  }
  return unique;
}

function checkSchema(schema: NonNullable<TaskOptions['schema']>, what: string): NonNullable<TaskOptions['schema']> {
  if (typeof schema['~standard']?.validate === 'function') return schema;
  throw new ConfigurationError(
    `${what} is no Standard Schema. Use a schema of zod, valibot or arktype for the list of arguments.`,
  );
}

function withoutUndefined(options: TaskOptions): TaskOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
