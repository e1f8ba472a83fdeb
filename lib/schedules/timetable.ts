import { Cron } from 'croner';
import { parseDuration, type Duration } from '../duration.js';
import { ConfigurationError } from '../errors.js';

/** When a schedule is due: either by a cron expression or by a period. */
export type Timing =
  | {
      /**
       * Five fields (minute hour day month weekday), or six with seconds first; or `@hourly`, `@daily`, `@midnight`,
       * `@weekly`, `@monthly`, `@yearly`, `@annually`.
       */
      readonly cron: string;
      readonly every?: undefined;
    }
  | {
      /**
       * The period, at least 100 ms and at most 100 years. The schedule is due at each of its multiples since 1970 UTC, so that every process
       * has the same ticks: `'10m'` is due at :00, :10, :20, …
       */
      readonly every: Duration;
      readonly cron?: undefined;
    };

/** A checked {@link Timing}; the period is in milliseconds. */
export interface ParsedTiming {
  readonly cron?: string | undefined;
  readonly every?: number | undefined;
  /** IANA name, for example `Europe/Berlin`. It has no effect on `every`. */
  readonly timezone: string;
}

/**
 * The ticks of a schedule: all times at which it is due. They depend on the timing alone, so every process gets the
 * same ticks, now and after an outage. Times are milliseconds since 1970.
 */
export interface Timetable {
  /** The first tick after `time`; `undefined` when there is none. */
  next(time: number): number | undefined;
  /** The last tick at or before `time`; `undefined` when there is none. */
  previous(time: number): number | undefined;
}

/** The timetable of a schedule that is never due. */
export const NEVER: Timetable = { next: () => undefined, previous: () => undefined };

/** UTC, and not the server's zone: servers run in many time zones, and the rules of time zones change. */
export const DEFAULT_ZONE = 'UTC';

const MACROS = ['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually'];
/** Milliseconds. A lower bound, because at each tick every worker process reads from the store. */
const SHORTEST_PERIOD = 100;
/** Milliseconds: a hundred years. A `Date` cannot hold the multiples of a much longer period. */
const LONGEST_PERIOD = 36_525 * 86_400_000;

/**
 * Checks a timing.
 *
 * @param timezone default: `UTC`
 * @param what the schedule, for the error
 * @throws ConfigurationError naming the expression, the zone or the period
 */
export function parseTiming({ cron, every }: Timing, timezone: string | undefined, what: string): ParsedTiming {
  const zone = checkZone(timezone ?? DEFAULT_ZONE, what);
  if ((cron === undefined) === (every === undefined)) {
    throw new ConfigurationError(`${what} needs either a cron expression or { every }, and not both.`);
  }
  if (every !== undefined) return { every: checkPeriod(every, what), timezone: zone };
  const parsed = { cron: checkFields(cron, what), timezone: zone };
  if (timetableOf(parsed).next(Date.now()) === undefined) {
    throw new ConfigurationError(`${what} has the cron expression "${cron}", which never matches a date.`);
  }
  return parsed;
}

/**
 * The ticks of a timing. When clocks are put forward, a fixed time that does not exist is moved to the end of the gap.
 * When clocks are put back, a fixed time that comes twice counts once. Expressions with `*` follow the time that
 * passes.
 *
 * @throws Error of the parser when the expression is not valid
 */
export function timetableOf({ cron, every, timezone }: ParsedTiming): Timetable {
  if (every !== undefined) {
    return {
      next: (time) => (Math.floor(time / every) + 1) * every,
      previous: (time) => Math.floor(time / every) * every,
    };
  }
  const expression = new Cron(cron as string, { timezone, paused: true });
  return cached({
    next: (time) => expression.nextRun(new Date(time))?.getTime(),
    // Croner returns only runs before the given second.
    previous: (time) => expression.previousRuns(1, new Date(time + 1))[0]?.getTime(),
  });
}

/** The number of cached answers: the ticks of a minute, at one tick per second, and some more. */
const CACHE_SIZE = 100;

/**
 * Caches the answers of `next`. Between two ticks the answer stays the same, and `next` is called much more often than
 * there are ticks. After each read of the store it is called for the same ticks again.
 */
function cached({ next, previous }: Timetable): Timetable {
  let from = Infinity;
  let to: number | undefined;
  const known = new Map<number, number | undefined>();
  return {
    previous,
    next: (time) => {
      if (time >= from && (to === undefined || time < to)) return to;
      to = known.has(time) ? known.get(time) : next(time);
      from = time;
      known.set(time, to);
      if (known.size > CACHE_SIZE) known.delete(known.keys().next().value as number);
      return to;
    },
  };
}

function checkFields(cron: string, what: string): string {
  const problem = `${what} has the cron expression ${JSON.stringify(cron)}`;
  const text = typeof cron === 'string' ? cron.trim() : '';
  const fields = text.split(/\s+/).length;
  if (text.startsWith('@') ? !MACROS.includes(text.toLowerCase()) : fields !== 5 && fields !== 6) {
    throw new ConfigurationError(
      `${problem}. Give five fields (minute hour day month weekday), six with seconds first, or one of ${MACROS.join(', ')}.`,
    );
  }
  try {
    timetableOf({ cron: text, timezone: DEFAULT_ZONE });
  } catch (error) {
    throw new ConfigurationError(`${problem}, which is not valid: ${(error as Error).message.replace(/^\w+: /, '')}`, {
      cause: error,
    });
  }
  return text;
}

function checkZone(timezone: string, what: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: timezone }).resolvedOptions().timeZone && timezone;
  } catch (error) {
    throw new ConfigurationError(
      `${what} has the timezone ${JSON.stringify(timezone)}, which does not exist. Use an IANA name such as 'Europe/Berlin' or 'UTC'.`,
      { cause: error },
    );
  }
}

function checkPeriod(every: Duration, what: string): number {
  const period = parseDuration(every, `every of ${what}`);
  if (Number.isInteger(period) && period >= SHORTEST_PERIOD && period <= LONGEST_PERIOD) return period;
  throw new ConfigurationError(
    `every of ${what} is ${JSON.stringify(every)}. Give at least ${SHORTEST_PERIOD} ms, in whole milliseconds, and at most 100 years.`,
  );
}
