import type { Duration } from '../duration.js';
import type { Timing } from './timetable.js';

/** What a schedule does about overlapping runs and missed ticks. */
export interface SchedulePolicy {
  /**
   * What happens at a tick while the task of an earlier tick has not ended:
   *
   * - `allow` (default): the schedule enqueues another task, which may run at the same time.
   * - `skip`: the schedule leaves out this tick. The log and `lastSkip` report it.
   */
  readonly overlap?: 'skip' | 'allow';
  /**
   * What happens to missed ticks: ticks at which no worker process ran, or none could reach the engine.
   *
   * - `one` (default): one run makes up for all of them, as soon as a worker process is back.
   * - `none`: the schedule goes on with the next tick.
   */
  readonly catchUp?: 'none' | 'one';
}

/** A list of arguments; the compiler infers a tuple from it. */
export type Arguments = readonly unknown[];

/**
 * The mutable form of a type. The compiler infers readonly literals from the arguments of a decorator, and a method may
 * take arrays and objects that are not readonly.
 */
export type Changeable<T> = T extends { toJSON(): unknown } | ((...args: never) => unknown)
  ? T
  : T extends object
    ? { -readonly [K in keyof T]: Changeable<T[K]> }
    : T;

/** The options of `@Schedule()`. */
export interface ScheduleOptions<A extends Arguments = Arguments> extends SchedulePolicy {
  /**
   * The schedule's id for `TaskSchedules`, unique in the whole application: 1 to 200 characters without spaces.
   * Default: the task's name; the second schedule of a method without an id gets `#2` after it, the third `#3`.
   */
  readonly id?: string;
  /**
   * The time zone of a cron expression, an IANA name such as `Europe/Berlin`. Default: `UTC`, and not the time zone of
   * the process.
   */
  readonly timezone?: string;
  /** The arguments of each run. They are stored with the schedule, so they must survive JSON. Default: none. */
  readonly args?: A;
}

/** The part of a producer that a schedule needs. Every `TaskProducer` has it. */
export interface SchedulableTask<A extends readonly unknown[]> {
  readonly name: string;
  enqueue(...args: A): Promise<unknown>;
}

/** The settings that `TaskSchedules.upsert()` takes beside the task: either `cron` or `every`, and the options. */
export type ScheduleSettings = Timing &
  SchedulePolicy & {
    /** The time zone of `cron`, an IANA name such as `Europe/Berlin`. Default: `UTC`. */
    readonly timezone?: string;
    /** The schedule has no tick after this time. Default: no end. */
    readonly endsAt?: Date;
    /** The schedule ends after this number of runs, at least 1. Default: no limit. */
    readonly limit?: number;
  };

/** The arguments of a task. `args` may be left out when the task needs none. */
export type TaskArguments<A extends readonly unknown[]> = [] extends A
  ? { readonly args?: Readonly<A> }
  : { readonly args: Readonly<A> };

/** When a schedule is due: a cron expression (`'0 7 * * 1-5'`), or a period (`{ every: '10m' }`). */
export type When = string | { readonly every: Duration };
