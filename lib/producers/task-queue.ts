import type { Type } from '@nestjs/common';
import { TaskHandle } from '../results/task-handle.js';
import { isContract, type TaskContract, type TaskFunction } from '../tasks/task-contract.js';
import { defineFrom, definitionOfContract, definitionsOf, type TaskDefinition } from '../tasks/task-definition.js';
import type { TaskOptions } from '../tasks/task-options.js';
import type { MissingArguments, Signature } from '../workflows/signature.js';
import { TaskProducer, type ProducerDeps } from './task-producer.js';
import type { Tasks } from './tasks.js';
import { UnknownTaskError } from '../errors.js';

/** Nest and JavaScript read these methods of every object that is injected. Reading them must not throw. */
const PROBED_METHODS = new Set([
  'constructor',
  'then',
  'toJSON',
  'onModuleInit',
  'onModuleDestroy',
  'onApplicationBootstrap',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);

/**
 * Gives producers by class, contract or name, and handles of stored tasks by id. Every provider of the application can
 * inject it.
 *
 * @example
 * constructor(private readonly taskQueue: TaskQueue) {}
 *
 * const { id } = await this.taskQueue.of(ReportTasks).build.enqueue('2026-11');
 * const report = await this.taskQueue.handle<Report>(id).result({ timeout: '1m' });
 */
export class TaskQueue {
  readonly #deps: ProducerDeps;
  readonly #defaults: TaskOptions;
  readonly #definitionOf: (name: string) => TaskDefinition | undefined;

  /** @internal */
  constructor(
    deps: ProducerDeps,
    defaults: TaskOptions,
    /** The definition of a task, if this process declares it. */
    definitionOf: (name: string) => TaskDefinition | undefined,
  ) {
    this.#deps = deps;
    this.#defaults = defaults;
    this.#definitionOf = definitionOf;
  }

  /**
   * The producers of a class's tasks, by method. The class does not have to be a provider of this process, and may be
   * abstract. Reading a method that is not a task throws `UnknownTaskError`.
   *
   * @throws ConfigurationError when an option of a task is wrong
   */
  of<T>(source: Type<T> | (abstract new (...args: never[]) => T)): Tasks<T>;
  /** The producer of a contract's task. @throws ConfigurationError when an option of the contract is wrong */
  of<F extends TaskFunction>(source: TaskContract<F>): TaskProducer<F>;
  /**
   * The producer of a task by name or alias. The task is looked up at each call of the producer, so a constructor may
   * make it. For a task that this process does not declare, the producer has the options of the module's `defaults` and
   * enqueues to their queue (default: `default`).
   *
   * @throws ConfigurationError when the text is no task name
   */
  of<F extends TaskFunction = TaskFunction>(source: string): TaskProducer<F>;
  of(source: (abstract new (...args: never[]) => unknown) | TaskContract | string): unknown {
    if (typeof source === 'string') {
      const undeclared = defineFrom({ name: source }, this.#defaults, source);
      return this.#producer(() => this.#definitionOf(source) ?? undeclared);
    }
    if (isContract(source)) {
      const definition = definitionOfContract(source, this.#defaults);
      return this.#producer(() => definition);
    }
    return this.#producersOf(source as Type);
  }

  /**
   * A handle of a task that any process enqueued earlier. This call does not check whether the task exists: the methods
   * of the handle throw `TaskNotFoundError` when it does not, also for an id that is no text.
   *
   * @typeParam R the type of the task's result
   */
  handle<R = unknown>(id: string): TaskHandle<R> {
    // Ids come from clients, and a query parameter may be a list or missing. An empty text is never the id of a task.
    return new TaskHandle<R>(this.#deps.results, { id: typeof id === 'string' ? id : '' });
  }

  /**
   * Stores a workflow, as `signature.enqueue()` does. Use this method for a workflow that may have no task in it, such
   * as a group without members: its signature does not know the application to which it belongs.
   *
   * @param input the argument that the signature still lacks, if any
   * @throws the errors of `signature.enqueue()`
   */
  async enqueue<I, R>(signature: Signature<I, R>, ...input: MissingArguments<I>): Promise<TaskHandle<R>> {
    if (signature.starter) return signature.enqueue(...input);
    return (await this.#deps.starter.start(signature.plan)) as TaskHandle<R>;
  }

  #producersOf(target: Type): object {
    const producers = {};
    const definitions = definitionsOf(target, this.#defaults);
    for (const [method, definition] of definitions) {
      Object.defineProperty(producers, method, { value: this.#producer(() => definition), enumerable: true });
    }
    for (const method of methodsOf(target.prototype as object)) {
      if (definitions.has(method) || PROBED_METHODS.has(method)) continue;
      // The type `Tasks` cannot know which methods are decorated, so the error is thrown where the mistake is made.
      Object.defineProperty(producers, method, {
        get: () => {
          throw new UnknownTaskError(`${target.name}.${method} is no task. Decorate it with @Task().`);
        },
      });
    }
    return Object.freeze(producers);
  }

  #producer(define: () => TaskDefinition): TaskProducer {
    return new TaskProducer(this.#deps, define);
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
