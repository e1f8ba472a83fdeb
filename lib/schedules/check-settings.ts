import { ConfigurationError } from '../errors.js';
import type { SchedulePolicy } from './schedule-options.js';
import type { StoredSchedule } from './stored-schedule.js';
import { parseTiming, type ParsedTiming, type Timing } from './timetable.js';

/** The same rule as for task names, because ids appear in logs and in the URLs of administration pages. */
const SCHEDULE_ID = /^[^\s\p{Cc}]{1,200}$/u;

/** The checked settings: they are the same for `@Schedule()` and for `TaskSchedules.upsert()`. */
export type CheckedSettings = Omit<StoredSchedule, 'id' | 'source' | 'template' | 'application' | 'since'>;

export interface Settings extends SchedulePolicy {
  readonly timezone?: string | undefined;
  readonly endsAt?: Date | undefined;
  readonly limit?: number | undefined;
}

/**
 * Checks a schedule's settings and fills in the defaults. The result has no value that JSON would drop, because stored
 * settings are compared with declared ones.
 *
 * @param what the schedule, for the error
 * @param parse another way to {@link parseTiming}, which may remember what it has parsed
 * @throws ConfigurationError naming the setting and the value
 */
export function checkSettings(
  timing: Timing,
  settings: Settings,
  what: string,
  parse: (timing: Timing, timezone: string | undefined, what: string) => ParsedTiming = parseTiming,
): CheckedSettings {
  const { timezone, overlap = 'allow', catchUp = 'one', endsAt, limit } = settings;
  const { cron, every, timezone: zone } = parse(timing, timezone, what);
  checkChoice(overlap, ['skip', 'allow'], `overlap of ${what}`);
  checkChoice(catchUp, ['none', 'one'], `catchUp of ${what}`);
  if (endsAt !== undefined && !(endsAt instanceof Date && !Number.isNaN(endsAt.getTime()))) {
    throw new ConfigurationError(`endsAt of ${what} is ${String(endsAt)}. Give a valid Date.`);
  }
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) {
    throw new ConfigurationError(`limit of ${what} is ${String(limit)}. Give a whole number of runs, at least 1.`);
  }
  return {
    ...(cron !== undefined && { cron }),
    ...(every !== undefined && { every }),
    timezone: zone,
    overlap,
    catchUp,
    ...(endsAt && { endsAt: endsAt.getTime() }),
    ...(limit !== undefined && { limit }),
  };
}

/** @throws ConfigurationError when the value is not a text of 1 to 200 characters without spaces */
export function checkScheduleId(id: string, what: string): string {
  if (typeof id === 'string' && SCHEDULE_ID.test(id)) return id;
  throw new ConfigurationError(`${what} has the id ${JSON.stringify(id)}. Give 1 to 200 characters without spaces.`);
}

/** @throws ConfigurationError when a value is neither a producer nor a text */
export function checkTask(task: unknown, what: string): void {
  if (
    typeof task === 'string' ||
    typeof (task as { toTemplate?: unknown } | null | undefined)?.toTemplate === 'function'
  )
    return;
  throw new ConfigurationError(
    `task of ${what} is ${typeof task === 'object' && task !== null ? 'no producer' : String(task)}. Give the producer of one method, such as tasks.digest, or the name of a task.`,
  );
}

/** @throws ConfigurationError when the arguments of the runs are no list */
export function checkArguments(args: unknown, what: string): void {
  if (Array.isArray(args)) return;
  throw new ConfigurationError(
    `args of ${what} is not a list. Give the list of the arguments of each run: args: ['daily'].`,
  );
}

function checkChoice(value: string, choices: readonly string[], what: string): void {
  if (choices.includes(value)) return;
  throw new ConfigurationError(
    `${what} is ${JSON.stringify(value)}. Use ${choices.map((choice) => `'${choice}'`).join(' or ')}.`,
  );
}
