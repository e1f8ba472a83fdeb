import { ConfigurationError } from '../errors.js';
import { prototypesOf } from '../tasks/task.decorator.js';
import type { AdminAct } from './admin-act.js';

/** A decorator of methods that accept an act. */
type AdminListenerDecorator = <M extends (act: AdminAct) => unknown>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

const LISTENERS = Symbol('admin listeners');

/**
 * Calls a method of a provider or controller after every act of this process's `TaskAdmin`: who did what to what, with which result
 * or error. For audit logs and notices. Acts that only show something are not among them.
 *
 * The method is called after the act, at most once for each. An act waits for no listener, and an error that a listener throws is
 * logged with its name. A request-scoped provider gets a scope of its own for each act, in which `REQUEST` is the act.
 *
 * @example
 * ```ts
 * @OnAdmin()
 * async note({ act, by, reason, queue, id, error }: AdminAct): Promise<void> {
 *   await this.audit.insert({ act, by, reason, on: queue ?? id, failed: error?.message });
 * }
 * ```
 */
export function OnAdmin(): AdminListenerDecorator {
  return (target, key) => {
    if (typeof target === 'function') {
      throw new ConfigurationError(
        `@OnAdmin() decorates ${target.name}.${String(key)}, which is static, so Nest has no instance to call it on. Make it a method of the instance.`,
      );
    }
    const known = Reflect.getOwnMetadata(LISTENERS, target) as Set<string | symbol> | undefined;
    Reflect.defineMetadata(LISTENERS, new Set([...(known ?? []), key]), target);
  };
}

/** The methods of a class that listen, inherited ones included. */
export function adminListenersOf(type: Function): (string | symbol)[] {
  const methods = prototypesOf(type.prototype as object).flatMap((prototype) => [
    ...((Reflect.getOwnMetadata(LISTENERS, prototype) as Set<string | symbol> | undefined) ?? []),
  ]);
  return [...new Set(methods)];
}
