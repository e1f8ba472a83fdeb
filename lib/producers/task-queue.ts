import type { Type } from '@nestjs/common';
import { TaskHandle } from '../results/task-handle.js';
import { isContract, type TaskContract, type TaskFunction } from '../tasks/task-contract.js';
import { defineFrom, definitionOfContract, definitionsOf, type TaskDefinition } from '../tasks/task-definition.js';
import type { TaskOptions } from '../tasks/task-options.js';
import type { MissingArguments, Signature } from '../workflows/signature.js';
import { TaskProducer, type ProducerDeps } from './task-producer.js';
import type { Tasks } from './tasks.js';
import { UnknownTaskError } from '../errors.js';

/** Methods that Nest and JavaScript look for on anything that is injected. */
const LOOKED_FOR = new Set([
  'constructor',
  'then',
  'toJSON',
  'onModuleInit',
  'onModuleDestroy',
  'onApplicationBootstrap',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);

/** Enqueues tasks and finds them again. Injectable anywhere. */
export class TaskQueue {
  readonly #deps: ProducerDeps;
  readonly #defaults: TaskOptions;
  readonly #definitionOf: (name: string) => TaskDefinition | undefined;

  /** @internal */
  constructor(
    deps: ProducerDeps,
    defaults: TaskOptions,
    /** The definition of a task that is declared in this process. */
    definitionOf: (name: string) => TaskDefinition | undefined,
  ) {
    this.#deps = deps;
    this.#defaults = defaults;
    this.#definitionOf = definitionOf;
  }

  /** The producers of a class's tasks, by method. */
  of<T>(source: Type<T>): Tasks<T>;
  /** The producer of a contract's task. */
  of<F extends TaskFunction>(source: TaskContract<F>): TaskProducer<F>;
  /** The producer of a task by name; one that is not declared in this process goes to the queue `default`. */
  of<F extends TaskFunction = TaskFunction>(source: string): TaskProducer<F>;
  of(source: Type | TaskContract | string): unknown {
    if (typeof source === 'string') {
      return this.#producer(this.#definitionOf(source) ?? defineFrom({ name: source }, this.#defaults, source));
    }
    if (isContract(source)) return this.#producer(definitionOfContract(source, this.#defaults));
    return this.#producersOf(source);
  }

  /**
   * A handle to a task that was enqueued earlier, here or elsewhere. Nothing is looked up before it is used.
   *
   * @typeParam R what the task returns
   */
  handle<R = unknown>(id: string): TaskHandle<R> {
    return new TaskHandle<R>(this.#deps.results, { id });
  }

  /**
   * Stores a workflow, and is there for a group without members, which belongs to no application; with any other it does
   * what `signature.enqueue()` does.
   *
   * @param input what the signature still lacks
   * @throws as `signature.enqueue()`
   */
  async enqueue<I, R>(signature: Signature<I, R>, ...input: MissingArguments<I>): Promise<TaskHandle<R>> {
    if (signature.starter) return signature.enqueue(...input);
    return (await this.#deps.starter.start(signature.plan)) as TaskHandle<R>;
  }

  #producersOf(target: Type): object {
    const producers = {};
    const definitions = definitionsOf(target, this.#defaults);
    for (const [method, definition] of definitions) {
      Object.defineProperty(producers, method, { value: this.#producer(definition), enumerable: true });
    }
    for (const method of methodsOf(target.prototype as object)) {
      if (definitions.has(method) || LOOKED_FOR.has(method)) continue;
      // The type cannot know which methods are decorated, so the mistake is told where it is made.
      Object.defineProperty(producers, method, {
        get: () => {
          throw new UnknownTaskError(`${target.name}.${method} is no task. Decorate it with @Task().`);
        },
      });
    }
    return Object.freeze(producers);
  }

  #producer(definition: TaskDefinition): TaskProducer {
    return new TaskProducer(this.#deps, definition);
  }
}

function methodsOf(prototype: object): Set<string> {
  const methods = new Set<string>();
  for (
    let at: object | null = prototype;
    at && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === 'function') methods.add(key);
    }
  }
  return methods;
}
