import type { Type } from '@nestjs/common';
import { ConfigurationError } from '../errors.js';
import { prototypesOf } from '../tasks/task.decorator.js';
import type { TaskContract } from '../tasks/task-contract.js';
import type { TaskEvent, TaskEventType } from './task-event.js';

/** Which tasks a listener hears of. Both conditions have to hold. Default: all tasks. */
export interface TaskEventFilter {
  /** A class: all its tasks. A contract of `defineTask()`, or the name of a task. */
  readonly task?: Type | (abstract new (...args: never[]) => unknown) | TaskContract | string;
  /** The queue of the task. */
  readonly queue?: string;
}

/** One `@OnTask()`. The values may be anything, in plain JavaScript. */
export interface Subscription {
  readonly types: readonly TaskEventType[];
  readonly filter: TaskEventFilter;
}

/** A method that listens, with all its decorators. */
export interface ListenerDeclaration {
  readonly method: PropertyKey;
  readonly subscriptions: readonly Subscription[];
}

/** A decorator of methods that accept the event. */
type ListenerDecorator<T extends TaskEventType> = <M extends (event: TaskEvent<T>) => unknown>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

type Declarations = Map<PropertyKey, Subscription[]>;

const LISTENERS = Symbol('task listeners');

/**
 * Calls a method of a provider or controller when something happened to a task. The method gets a {@link TaskEvent}, at most
 * once for each event, in the process that stored the change: the caller's for `enqueued` and for the `cancelled` of a task that
 * had not started, the worker's for all others. The compiler checks that the method accepts events of these types.
 *
 * A listener cannot change the task: it is called after the change is stored, and the worker does not wait for it. An error
 * that it throws is logged with its name. At most 100 events of one listener are under way, and 10,000 wait; beyond that, the
 * oldest waiting ones are dropped, with one warning a minute. What a listener enqueues raises no `enqueued` for that listener.
 * A request-scoped provider gets a scope of its own for each event, in which `REQUEST` is the event.
 *
 * A subclass inherits listeners. A method that it overrides without a decorator stays a listener; with a decorator of its own,
 * that one replaces the inherited ones.
 *
 * The application does not start (`ConfigurationError`) when a type or the filter is wrong, or the method is static.
 *
 * @param types one type of event, or several
 * @param filter which tasks; default: all
 * @example
 * ```ts
 * @OnTask('failed', { task: ReportTasks })
 * async alert({ name, id, error }: TaskEvent<'failed'>): Promise<void> {
 *   await this.pager.send(`${name} (${id}) failed: ${error.message}`);
 * }
 *
 * @OnTask(['succeeded', 'failed'], { queue: 'mail' })
 * count(event: TaskEvent<'succeeded' | 'failed'>): void {}
 * ```
 */
export function OnTask<T extends TaskEventType>(
  types: T | readonly T[],
  filter: TaskEventFilter = {},
): ListenerDecorator<T> {
  return (target, key) => {
    const declared = ownDeclarations(target);
    const list: readonly T[] = Array.isArray(types) ? types : [types as T];
    declared.set(key, [...(declared.get(key) ?? []), { types: list, filter }]);
  };
}

/**
 * All listeners of a class, including inherited ones.
 *
 * @throws ConfigurationError when `@OnTask()` decorates a static method
 */
export function listenersOf(type: Type | Function): ListenerDeclaration[] {
  const misplaced = Reflect.getMetadata(LISTENERS, type) as Declarations | undefined;
  for (const key of misplaced?.keys() ?? []) {
    throw new ConfigurationError(
      `@OnTask() decorates ${type.name}.${String(key)}, which is static, so Nest has no instance to call it on. Make it a method of the instance.`,
    );
  }
  const merged = new Map<PropertyKey, ListenerDeclaration>();
  for (const prototype of prototypesOf(type.prototype as object)) {
    const declared = Reflect.getOwnMetadata(LISTENERS, prototype) as Declarations | undefined;
    for (const [method, subscriptions] of declared ?? []) merged.set(method, { method, subscriptions });
  }
  return [...merged.values()];
}

function ownDeclarations(target: object): Declarations {
  const known = Reflect.getOwnMetadata(LISTENERS, target) as Declarations | undefined;
  if (known) return known;
  const declared: Declarations = new Map();
  Reflect.defineMetadata(LISTENERS, declared, target);
  return declared;
}
