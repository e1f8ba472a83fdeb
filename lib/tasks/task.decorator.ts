import { Injectable, type Type } from '@nestjs/common';
import { ConfigurationError } from '../errors.js';
import { checkObject } from '../option-fields.js';
import { declareQueue } from './declared-queues.js';
import type { BatchArguments, BatchOptions, TaskBatch } from './task-batch.js';
import { isContract, type TaskContract, type TaskFunction } from './task-contract.js';
import type { SharedTaskOptions, TaskOptions } from './task-options.js';

/** What `@Task()` declares of one method. */
export interface TaskDeclaration {
  readonly method: string;
  readonly options: TaskOptions;
  /** The prototype on which the method is decorated. A subclass may override the method without decorating it again. */
  readonly declaredOn: object;
}

/** The declarations of one prototype, or the misplaced ones of one constructor. */
type Declarations = Map<PropertyKey | undefined, TaskOptions>;

const DECLARATIONS = Symbol('tasks');
const PROCESSOR = Symbol('task processor');

/** A method decorator that only fits methods with the contract's function type. */
type MethodOf<F extends TaskFunction> = <T extends F>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<T>,
) => void;

/** Decorates a method of one call. */
export interface TaskDecorator {
  <T>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<T> & OneCall<T>): void;
  /** For `applyDecorators()` and variables of the type `MethodDecorator`. The compiler never takes it for a decorator. */
  <T>(this: Composed, target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<T>): void;
}

declare const COMPOSED: unique symbol;
interface Composed {
  readonly [COMPOSED]: never;
}

type OneCall<T> = [BatchArguments<T>] extends [never]
  ? unknown
  : { readonly 'a TaskBatch needs the option batch': never };

/** What the method of a batch may return: nothing, or one result for each call. */
type BatchReturn<I = unknown> = void | readonly I[] | Promise<void | readonly I[]>;

/** Decorates a method that takes batches whose calls have these arguments. */
type BatchDecorator<A extends readonly unknown[]> = <
  // eslint-disable-next-line typescript/no-explicit-any -- a batch of any calls
  T extends (calls: TaskBatch<any>) => BatchReturn,
>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<T> & BatchFits<A, BatchArguments<T>>,
) => void;

type BatchFits<A, B> = [B] extends [never]
  ? { readonly 'the option batch needs a method whose only parameter is a TaskBatch': never }
  : B extends A
    ? unknown
    : { readonly 'the key of the batch does not take the arguments of a call': never };

/**
 * Makes a method of a provider or controller a task: other code enqueues calls of it (see `@InjectTasks()`), and a
 * worker runs the method. The method stays an ordinary method, and a direct call still runs it in place.
 *
 * The arguments and the return value must survive JSON. A subclass inherits the tasks of its ancestors. A method that it
 * overrides without `@Task()` stays the task, with the guards, interceptors, pipes, filters and metadata of the inherited
 * method; those that the override has are added.
 *
 * The application does not start when an option is wrong, when the method is static, is a property, or has a symbol for
 * its name (`ConfigurationError`), or when two methods have the same task name (`DuplicateTaskError`).
 *
 * @param nameOrOptions the task's name (default: `ClassName.method`) or its options
 * @example
 * ```ts
 * @Task()                               // named ClassName.method
 * @Task('reports.build')
 * @Task({ retries: 3, timeout: '5m' })
 * @Task(charge)                         // a contract of defineTask()
 * async build(month: string): Promise<Report> {}
 * ```
 */
export function Task(name?: string): TaskDecorator;
/**
 * Makes a method a task that runs once for many calls. Its only parameter is a `TaskBatch`; it returns nothing, or a list with one
 * result for each call, in order. When it throws, all calls of the batch fail and are retried as their own attempts allow.
 *
 * @example
 * ```ts
 * @Task({ queue: 'rows', batch: { size: 500, wait: '200ms' }, retries: 5 })
 * async store(calls: TaskBatch<[Row]>): Promise<void> {}       // enqueue(row)
 * ```
 */
// eslint-disable-next-line typescript/no-explicit-any -- without a key, the arguments are those of the method
export function Task<A extends readonly any[] = any[]>(
  options: Omit<TaskOptions, 'batch'> & { readonly batch: BatchOptions<A> },
): BatchDecorator<A>;
/** Makes a method a task with these options. */
export function Task(options: TaskOptions): TaskDecorator;
/**
 * Makes a method the task of a contract, with the contract's name and options. The compiler checks that the method fits
 * the contract's function.
 *
 * @param contract what `defineTask()` returned
 */
export function Task<F extends TaskFunction>(contract: TaskContract<F>): MethodOf<F>;
/**
 * Makes a method the task of a contract that runs once for many calls. The contract is that of one call, so whoever enqueues it
 * does not see the batch.
 */
export function Task<F extends TaskFunction>(
  contract: TaskContract<F>,
  options: { readonly batch: BatchOptions<Parameters<F>> },
): MethodOf<(calls: TaskBatch<Parameters<F>>) => BatchReturn<Awaited<ReturnType<F>>>>;
export function Task(
  nameOrOptions: string | TaskOptions | TaskContract = {},
  more: Pick<TaskOptions, 'batch'> = {},
): (target: object, key: string | symbol) => void {
  return (target, key) => {
    const given = toOptions(nameOrOptions);
    checkObject(given, `@Task() of ${target.constructor.name}.${String(key)}`, 'Give a name, options or a contract.');
    const options = { ...given, ...more };
    declareQueue(options.queue);
    // Stores the method's name instead of the function, because other decorators may replace the function.
    ownDeclarations(target).set(key, options);
  };
}

/**
 * Does what `@Injectable()` does, and sets default options for all tasks of the class. `@Task()` takes precedence over
 * these defaults, and they take precedence over the module's `defaults`. A class without this decorator may have tasks
 * too. A subclass inherits the defaults; with a decorator of its own, its options take precedence over inherited ones.
 *
 * @param queueOrOptions the queue of the class's tasks, or any options except `name` and `aliases`
 * @example
 * ```ts
 * @TaskProcessor('mail')                              // all tasks of the class wait in the queue "mail"
 * @TaskProcessor({ queue: 'mail', retries: 5 })
 * export class MailTasks {
 *   @Task()
 *   async welcome(userId: number): Promise<void> {}
 * }
 * ```
 */
export function TaskProcessor(queueOrOptions: string | SharedTaskOptions = {}): ClassDecorator {
  return (target) => {
    Injectable()(target);
    const options = typeof queueOrOptions === 'string' ? { queue: queueOrOptions } : queueOrOptions;
    checkObject(
      options,
      `@TaskProcessor() of ${target.name}`,
      "Give the name of a queue, or options: { queue: 'mail' }.",
    );
    declareQueue(options.queue);
    const inherited = Reflect.getMetadata(PROCESSOR, target) as SharedTaskOptions | undefined;
    Reflect.defineMetadata(PROCESSOR, { ...inherited, ...options }, target);
  };
}

function toOptions(nameOrOptions: string | TaskOptions | TaskContract): TaskOptions {
  if (typeof nameOrOptions === 'string') return { name: nameOrOptions };
  return isContract(nameOrOptions) ? { ...nameOrOptions.options, name: nameOrOptions.name } : nameOrOptions;
}

/**
 * All tasks of a class, including inherited ones. A method that is declared again replaces the inherited declaration.
 *
 * @throws ConfigurationError when `@Task()` decorates a static method or a method with a symbol for its name
 */
export function declarationsOf(target: Type | Function): readonly TaskDeclaration[] {
  const misplaced = Reflect.getMetadata(DECLARATIONS, target) as Declarations | undefined;
  for (const key of misplaced?.keys() ?? []) {
    if (key === undefined)
      throw new ConfigurationError(`The class ${target.name} has a @Task(). Decorate its methods.`);
    throw refusal(target, key, 'is static, so Nest has no instance to call it on');
  }
  const merged = new Map<string, TaskDeclaration>();
  const defaults = (Reflect.getMetadata(PROCESSOR, target) ?? {}) as TaskOptions;
  refuseOwnOptions(defaults, `@TaskProcessor() of ${target.name}`);
  for (const declaredOn of prototypesOf(target.prototype as object)) {
    const declared = Reflect.getOwnMetadata(DECLARATIONS, declaredOn) as Declarations | undefined;
    for (const [method, options] of declared ?? []) {
      if (typeof method !== 'string')
        throw refusal(target, method as symbol, 'has a symbol for its name, which cannot be stored');
      if (!Object.hasOwn(declaredOn, method)) throw refusal(target, method, 'is a property and no method');
      merged.set(method, { method, options: { ...defaults, ...options }, declaredOn });
    }
  }
  return [...merged.values()];
}

/** The prototype at or above the class's own that declares the task: the nearest one whose method is decorated. */
export function declaringPrototype(target: Type, method: string): object {
  const declaration = declarationsOf(target).find((each) => each.method === method);
  return declaration?.declaredOn ?? (target.prototype as object);
}

const OWN_OPTIONS = ['name', 'aliases', 'batch', 'accepts'] as const satisfies readonly Exclude<
  keyof TaskOptions,
  keyof SharedTaskOptions
>[];

/** @throws ConfigurationError when options that several tasks share contain one that belongs to a single task */
export function refuseOwnOptions(shared: TaskOptions, where: string): void {
  const own = OWN_OPTIONS.find((option) => shared[option] !== undefined);
  if (own === undefined) return;
  throw new ConfigurationError(`${where} has the option ${own}, which belongs to a single task. Give it to @Task().`);
}

function refusal({ name }: Function, key: PropertyKey, reason: string): ConfigurationError {
  const method = typeof key === 'string' ? `.${key}` : `[${String(key)}]`;
  return new ConfigurationError(
    `${name}${method} has a @Task() and ${reason}. Decorate a method of the instance that has a text for its name.`,
  );
}

function ownDeclarations(target: object): Declarations {
  let declared = Reflect.getOwnMetadata(DECLARATIONS, target) as Declarations | undefined;
  if (!declared) {
    declared = new Map();
    Reflect.defineMetadata(DECLARATIONS, declared, target);
  }
  return declared;
}

/** The prototypes of a class and its ancestors, beginning with the furthest ancestor. */
export function prototypesOf(prototype: object): object[] {
  const chain: object[] = [];
  for (
    let at: object | null = prototype;
    at && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    chain.unshift(at);
  }
  return chain;
}
