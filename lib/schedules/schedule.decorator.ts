import type { Type } from '@nestjs/common';
import type { TaskFunction } from '../tasks/task-contract.js';
import type { Arguments, Changeable, ScheduleOptions, When } from './schedule-options.js';

/** What one `@Schedule()` said. */
export interface ScheduleDeclaration {
  readonly when: When;
  readonly options: ScheduleOptions;
}

const SCHEDULES = Symbol('schedules');

/** A method decorator that only fits methods which can be called with these arguments. */
type MethodTaking<A extends Arguments> = <F extends TaskFunction>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<F> &
    (Changeable<A> extends Parameters<F> ? unknown : WrongArguments<Parameters<F>>),
) => void;

/** Exists for the compiler's message: the method takes other arguments. */
interface WrongArguments<Expected> {
  readonly 'the method takes other arguments': Expected;
}

/**
 * Runs a task at set times: once for each tick, however many processes there are. Worker processes look to it; nothing
 * else has to be started. Several on one method are several schedules.
 *
 * ```ts
 * @Schedule('0 7 * * 1-5', { timezone: 'Europe/Berlin', args: ['morning'] })
 * @Schedule({ every: '10m' })
 * @Schedule('@daily', { id: 'nightly', overlap: 'skip', catchUp: 'none' })
 * @Task()
 * async build(kind?: string) {}
 * ```
 *
 * What cannot be understood fails when the application starts, naming the method.
 */
export function Schedule<const A extends Arguments = []>(
  when: When,
  options: ScheduleOptions<A> = {},
): MethodTaking<A> {
  return (target, key) => {
    const declared = ownSchedules(target);
    // Decorators run from the method upwards; they are kept in the order in which they are read.
    declared.set(key, [{ when, options }, ...(declared.get(key) ?? [])]);
  };
}

/**
 * The schedules of a class's methods, its ancestors' included; a method that is scheduled again replaces the inherited
 * schedules.
 */
export function schedulesOf(target: Type | Function): ReadonlyMap<string, readonly ScheduleDeclaration[]> {
  const own = Reflect.getOwnMetadata(SCHEDULES, target.prototype as object) as Schedules | undefined;
  const parent: unknown = Object.getPrototypeOf(target);
  const inherited = typeof parent === 'function' && parent.prototype ? schedulesOf(parent) : [];
  return new Map([...inherited, ...(own ?? [])]);
}

type Schedules = Map<string, readonly ScheduleDeclaration[]>;

function ownSchedules(prototype: object): Schedules {
  let declared = Reflect.getOwnMetadata(SCHEDULES, prototype) as Schedules | undefined;
  if (!declared) {
    declared = new Map();
    Reflect.defineMetadata(SCHEDULES, declared, prototype);
  }
  return declared;
}
