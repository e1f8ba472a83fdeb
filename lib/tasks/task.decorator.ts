import { Injectable, type Type } from '@nestjs/common';
import { isContract, type TaskContract, type TaskFunction } from './task-contract.js';
import type { TaskOptions } from './task-options.js';

/** What `@Task()` declares of one method. */
export interface TaskDeclaration {
  readonly method: string;
  readonly options: TaskOptions;
}

const DECLARATIONS = Symbol('tasks');
const PROCESSOR = Symbol('task processor');

/** A method decorator that only fits methods with the contract's function type. */
type MethodOf<F extends TaskFunction> = <T extends F>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<T>,
) => void;

/**
 * Makes a method of a provider or controller a task: other code enqueues calls of it (see `@InjectTasks()`), and a
 * worker runs the method. The method stays an ordinary method, and a direct call still runs it in place.
 *
 * The arguments and the return value must survive JSON. A subclass inherits the tasks of its ancestors.
 *
 * The application does not start when an option is wrong (`ConfigurationError`) or when two methods have the same task
 * name (`DuplicateTaskError`).
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
export function Task(nameOrOptions?: string | TaskOptions): MethodDecorator;
/**
 * Makes a method the task of a contract, with the contract's name and options. The compiler checks that the method fits
 * the contract's function.
 *
 * @param contract what `defineTask()` returned
 */
export function Task<F extends TaskFunction>(contract: TaskContract<F>): MethodOf<F>;
export function Task(nameOrOptions: string | TaskOptions | TaskContract = {}): MethodDecorator {
  return (target, key) => {
    const options = toOptions(nameOrOptions);
    // Stores the method's name instead of the function, because other decorators may replace the function.
    const declared = ownDeclarations(target);
    declared.set(String(key), { method: String(key), options });
  };
}

/**
 * Does what `@Injectable()` does, and sets default options for all tasks of the class. `@Task()` takes precedence over
 * these defaults, and they take precedence over the module's `defaults`. A class without this decorator may have tasks
 * too.
 *
 * @param queueOrOptions the queue of the class's tasks, or any options except `name`
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
export function TaskProcessor(queueOrOptions: string | Omit<TaskOptions, 'name'> = {}): ClassDecorator {
  return (target) => {
    Injectable()(target);
    const options = typeof queueOrOptions === 'string' ? { queue: queueOrOptions } : queueOrOptions;
    Reflect.defineMetadata(PROCESSOR, options, target);
  };
}

function toOptions(nameOrOptions: string | TaskOptions | TaskContract): TaskOptions {
  if (typeof nameOrOptions === 'string') return { name: nameOrOptions };
  return isContract(nameOrOptions) ? { ...nameOrOptions.options, name: nameOrOptions.name } : nameOrOptions;
}

/**
 * All tasks of a class, including inherited ones. A method that is declared again replaces the inherited declaration.
 */
export function declarationsOf(target: Type | Function): readonly TaskDeclaration[] {
  const merged = new Map<string, TaskDeclaration>();
  const defaults = (Reflect.getMetadata(PROCESSOR, target) ?? {}) as TaskOptions;
  for (const prototype of prototypesOf(target.prototype as object)) {
    const declared = Reflect.getOwnMetadata(DECLARATIONS, prototype) as Map<string, TaskDeclaration> | undefined;
    for (const [key, { method, options }] of declared ?? [])
      merged.set(key, { method, options: { ...defaults, ...options } });
  }
  return [...merged.values()];
}

function ownDeclarations(prototype: object): Map<string, TaskDeclaration> {
  let declared = Reflect.getOwnMetadata(DECLARATIONS, prototype) as Map<string, TaskDeclaration> | undefined;
  if (!declared) {
    declared = new Map();
    Reflect.defineMetadata(DECLARATIONS, declared, prototype);
  }
  return declared;
}

/** The prototypes of a class and its ancestors, beginning with the furthest ancestor. */
function prototypesOf(prototype: object): object[] {
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
