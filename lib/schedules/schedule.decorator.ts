import type { Type } from '@nestjs/common';
import type { CallOf } from '../tasks/task-batch.js';
import type { TaskFunction } from '../tasks/task-contract.js';
import type { Arguments, Changeable, ScheduleOptions, When } from './schedule-options.js';

/** What one `@Schedule()` declares. */
export interface ScheduleDeclaration {
  readonly when: When;
  readonly options: ScheduleOptions;
}

const SCHEDULES = Symbol('schedules');

/** A method decorator for methods that accept these arguments. */
type MethodTaking<A extends Arguments> = <F extends TaskFunction>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<F> &
    (Changeable<A> extends Parameters<CallOf<F>> ? unknown : WrongArguments<Parameters<CallOf<F>>>),
) => void;

/** Gives the compiler's message a text: the method takes other arguments. */
interface WrongArguments<Expected> {
  readonly 'the method takes other arguments': Expected;
}

/**
 * Runs a task at fixed times: once for each tick, however many processes run. The worker processes do it, and no other
 * process has to be started. A method may have several of these decorators, and each is a schedule of its own.
 *
 * A worker process that starts changes the stored schedules to what the code declares. `TaskSchedules` reads, pauses
 * and runs them.
 *
 * The application does not start when a schedule is not valid or the method is not a task: `ConfigurationError` names
 * the method.
 *
 * @param when a cron expression of five fields, or of six with seconds first; a macro (`@hourly`, `@daily`,
 * `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`); or a period, such as `{ every: '10m' }`, of at least 100
 * ms, due at its multiples since 1970 UTC
 * @param options the arguments of the task and how it is scheduled. Default: no arguments, UTC, `overlap: 'allow'`,
 * `catchUp: 'one'`
 * @example
 * ```ts
 * @Schedule('0 7 * * 1-5', { timezone: 'Europe/Berlin', args: ['morning'] })
 * @Schedule({ every: '10m' })
 * @Schedule('@daily', { id: 'nightly', overlap: 'skip', catchUp: 'none' })
 * @Task()
 * async build(kind?: string) {}
 * ```
 */
export function Schedule<const A extends Arguments = []>(
  when: When,
  options: ScheduleOptions<A> = {},
): MethodTaking<A> {
  return (target, key) => {
    const declared = ownSchedules(target);
    // Decorators run from the method upwards. The list keeps them in the order in which they are written.
    declared.set(key, [{ when, options }, ...(declared.get(key) ?? [])]);
  };
}

/**
 * The schedules of a class's methods, including inherited methods. A method that is scheduled again loses the inherited
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
