import { Cron } from 'croner';
import { parseDuration, type Duration } from '../duration.js';
import { ConfigurationError } from '../errors.js';

/** When something is due, as it is written down: either a cron expression or a period. */
export type Timing =
  | {
      /** Five fields, or six with seconds first; or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`. */
      readonly cron: string;
      readonly every?: undefined;
    }
  | {
      /** At each multiple of this since 1970 UTC, so that every process means the same moments: `'10m'` is at :00, :10, :20, … */
      readonly every: Duration;
      readonly cron?: undefined;
    };

/** The same, understood; a period is milliseconds. */
export interface ParsedTiming {
  readonly cron?: string | undefined;
  readonly every?: number | undefined;
  /** IANA name, for example `Europe/Berlin`. Of no meaning with `every`. */
  readonly timezone: string;
}

/**
 * All moments at which something is due: its ticks. Nothing but a function of time, so every process that asks, today
 * or after an outage, gets the same ones. Times are milliseconds since 1970.
 */
export interface Timetable {
  /** The first tick after `time`; `undefined` when none ever comes. */
  next(time: number): number | undefined;
  /** The last tick at or before `time`. */
  previous(time: number): number | undefined;
}

/** Zones have their rules changed and servers stand in many: without a zone a schedule means UTC, wherever it runs. */
export const DEFAULT_ZONE = 'UTC';

const MACROS = ['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually'];
/** A tick costs every worker process a look at the store. */
const SHORTEST_PERIOD = 100;

/**
 * Checks a timing.
 *
 * @param what whose it is, in the error
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
    throw new ConfigurationError(`${what} has the cron expression "${cron}", whose time never comes.`);
  }
  return parsed;
}

/**
 * The ticks of a timing. Where clocks are put forward, a fixed time that does not exist is moved to the end of the gap;
 * where they are put back, a fixed time that comes twice counts once. Expressions with `*` go by the time that passes.
 *
 * @throws ConfigurationError for an expression that makes no sense
 */
export function timetableOf({ cron, every, timezone }: ParsedTiming): Timetable {
  if (every !== undefined) {
    return {
      next: (time) => (Math.floor(time / every) + 1) * every,
      previous: (time) => Math.floor(time / every) * every,
    };
  }
  const expression = new Cron(cron as string, { timezone, paused: true });
  return remembering({
    next: (time) => expression.nextRun(new Date(time))?.getTime(),
    // Croner looks for a run before the given second.
    previous: (time) => expression.previousRuns(1, new Date(time + 1))[0]?.getTime(),
  });
}

/** So many answers are kept: the ticks of a minute, at one a second, and some more. */
const REMEMBERED = 100;

/**
 * Between two ticks the answer stays the same, and it is asked for much more often than there are ticks. The same ticks
 * are gone through whenever the schedules were read again.
 */
function remembering({ next, previous }: Timetable): Timetable {
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
      if (known.size > REMEMBERED) known.delete(known.keys().next().value as number);
      return to;
    },
  };
}

function checkFields(cron: string, what: string): string {
  const said = `${what} has the cron expression ${JSON.stringify(cron)}`;
  const text = typeof cron === 'string' ? cron.trim() : '';
  const fields = text.split(/\s+/).length;
  if (text.startsWith('@') ? !MACROS.includes(text.toLowerCase()) : fields !== 5 && fields !== 6) {
    throw new ConfigurationError(
      `${said}. Give five fields (minute hour day month weekday), six with seconds first, or one of ${MACROS.join(', ')}.`,
    );
  }
  try {
    timetableOf({ cron: text, timezone: DEFAULT_ZONE });
  } catch (error) {
    throw new ConfigurationError(`${said}, which makes no sense: ${(error as Error).message.replace(/^\w+: /, '')}`, {
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
      `${what} has the timezone ${JSON.stringify(timezone)}, which there is not. Use an IANA name such as 'Europe/Berlin' or 'UTC'.`,
      { cause: error },
    );
  }
}

function checkPeriod(every: Duration, what: string): number {
  const period = parseDuration(every, `every of ${what}`);
  if (Number.isInteger(period) && period >= SHORTEST_PERIOD) return period;
  throw new ConfigurationError(
    `every of ${what} is ${JSON.stringify(every)}. Give at least ${SHORTEST_PERIOD} ms, in whole milliseconds.`,
  );
}
