import type { Type } from '@nestjs/common';
import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
} from '@nestjs/common/constants.js';
import { declaringPrototype, prototypesOf } from '../../tasks/task.decorator.js';

export type Method = (...args: unknown[]) => unknown;

/** The metadata of enhancers: lists, to which an overriding method adds. */
export const ENHANCER_KEYS: readonly string[] = [
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
  EXCEPTION_FILTERS_METADATA,
];

/**
 * The function whose metadata says what is around a task. A method that overrides the declared method keeps the task, so
 * it keeps what was decorated together with the task: a guard must not be lost because a subclass overrides the method.
 *
 * Metadata belongs to functions and is not inherited. For a method that is overridden the handler is a function of its
 * own with the metadata of all functions, from the declared one on: enhancers of all, and of any other key the value of
 * the last function that has it.
 *
 * @param target the class that declares the task
 * @param type the class of the instance
 */
export function inheritedHandler(target: Type, type: Type, method: string): Method {
  const prototypes = prototypesOf(type.prototype as object);
  const declared = prototypes.slice(prototypes.indexOf(declaringPrototype(target, method)));
  const functions = declared
    .filter((prototype) => Object.hasOwn(prototype, method))
    .map((prototype) => (prototype as Record<string, Method>)[method] as Method);
  const last = functions.at(-1) ?? (type.prototype as Record<string, Method>)[method]!;
  const overridden = functions.slice(0, -1);
  return overridden.some((each) => Reflect.getMetadataKeys(each).length > 0) ? merge([...overridden, last]) : last;
}

function merge(functions: readonly Method[]): Method {
  const last = functions.at(-1) as Method;
  const merged = function (this: unknown, ...args: unknown[]): unknown {
    return last.apply(this, args);
  };
  Object.defineProperties(merged, { name: { value: last.name }, length: { value: last.length } });
  for (const each of functions) {
    Object.assign(merged, each);
    for (const key of Reflect.getMetadataKeys(each) as string[]) {
      const value: unknown = Reflect.getMetadata(key, each);
      Reflect.defineMetadata(key, ENHANCER_KEYS.includes(key) ? added(key, merged, value) : value, merged);
    }
  }
  return merged;
}

function added(key: string, target: Method, value: unknown): unknown[] {
  const known = (Reflect.getMetadata(key, target) ?? []) as unknown[];
  return [...new Set([...known, ...(value as unknown[])])];
}
