import { Injectable, type Type } from '@nestjs/common';
import { isContract, type TaskContract, type TaskFunction } from './task-contract.js';
import type { TaskOptions } from './task-options.js';

/** What `@Task()` said of one method; several methods of a class are told apart by the key. */
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
 * Makes a method of any provider a task. The method stays an ordinary method: calling it runs it in place.
 *
 * What is stored is the class and the method's name rather than the function, for other decorators may replace it.
 *
 * ```ts
 * @Task()                               // named ClassName.method
 * @Task('reports.build')
 * @Task({ retries: 3, timeout: '5m' })
 * @Task(charge)                         // a contract of defineTask()
 * ```
 */
export function Task(nameOrOptions?: string | TaskOptions): MethodDecorator;
export function Task<F extends TaskFunction>(contract: TaskContract<F>): MethodOf<F>;
export function Task(said: string | TaskOptions | TaskContract = {}): MethodDecorator {
  return (target, key) => {
    const options =
      typeof said === 'string' ? { name: said } : isContract(said) ? { ...said.options, name: said.name } : said;
    const declared = ownDeclarations(target);
    declared.set(String(key), { method: String(key), options });
  };
}

/**
 * `@Injectable()`, and defaults for the tasks of the class.
 *
 * @param said the queue of its tasks, or any of their options
 */
export function TaskProcessor(said: string | Omit<TaskOptions, 'name'> = {}): ClassDecorator {
  return (target) => {
    Injectable()(target);
    Reflect.defineMetadata(PROCESSOR, typeof said === 'string' ? { queue: said } : said, target);
  };
}

/** All tasks of a class, its ancestors' included; a method declared again replaces the inherited declaration. */
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

/** From the furthest ancestor to the class itself. */
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
