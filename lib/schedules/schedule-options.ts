import type { Duration } from '../duration.js';
import type { Timing } from './timetable.js';

/** What is done about ticks and runs that get in each other's way. */
export interface SchedulePolicy {
  /**
   * A tick that comes while the run of an earlier one has not ended: starts another beside it (`allow`, default), or is
   * left out (`skip`), which the log and `lastSkip` tell.
   */
  readonly overlap?: 'skip' | 'allow';
  /**
   * Ticks that came while no worker process was there, or none could reach the engine: `one` run makes up for all of
   * them as soon as one is back (default), or `none` does.
   */
  readonly catchUp?: 'none' | 'one';
}

/** The list of arguments, whose types are read as a tuple. */
export type Arguments = readonly unknown[];

/** Literals in a decorator are read as they stand, down to their constants; a method may take what can be changed. */
export type Changeable<T> = T extends { toJSON(): unknown } | ((...args: never) => unknown)
  ? T
  : T extends object
    ? { -readonly [K in keyof T]: Changeable<T[K]> }
    : T;

/** What can be said of a schedule in `@Schedule()` beside its time. */
export interface ScheduleOptions<A extends Arguments = Arguments> extends SchedulePolicy {
  /** Names it for `TaskSchedules`, in the whole application. Default: the task's name; a second one on a task gets `#2`. */
  readonly id?: string;
  /** The zone whose clocks a cron expression goes by; default `UTC`, whatever zone the process is in. */
  readonly timezone?: string;
  /** The method's arguments; default none. They are stored with the schedule, so they must survive JSON. */
  readonly args?: A;
}

/** What a schedule needs of a producer; every `TaskProducer` fits. */
export interface SchedulableTask<A extends readonly unknown[]> {
  readonly name: string;
  enqueue(...args: A): Promise<unknown>;
}

/** What `TaskSchedules.upsert` takes beside the task. */
export type ScheduleSettings = Timing &
  SchedulePolicy & {
    /** The zone whose clocks a cron expression goes by; default `UTC`. */
    readonly timezone?: string;
    /** No tick after this moment. */
    readonly endsAt?: Date;
    /** So many runs, then no more. */
    readonly limit?: number;
  };

/** The arguments of a task: may be left out when it needs none. */
export type TaskArguments<A extends readonly unknown[]> = [] extends A
  ? { readonly args?: Readonly<A> }
  : { readonly args: Readonly<A> };

/** When a schedule is due: `@Schedule('0 7 * * 1-5')`, `@Schedule({ every: '10m' })`. */
export type When = string | { readonly every: Duration };
