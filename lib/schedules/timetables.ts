import { parseTiming, timetableOf, type ParsedTiming, type Timetable, type Timing } from './timetable.js';

/** The number of timings that are remembered. */
const SIZE = 5_000;

/**
 * Remembers the timetables of checked timings. Parsing an expression and checking a time zone take long, and thousands
 * of schedules mostly share a few timings.
 */
export class Timetables {
  private readonly known = new Map<string, Timetable>();

  /** The same as {@link parseTiming}, for a timing that is read again and again. */
  readonly parse = (timing: Timing, timezone: string | undefined, what: string): ParsedTiming => {
    const asParsed = { ...timing, timezone } as ParsedTiming;
    if (typeof timezone === 'string' && typeof timing.every !== 'string' && this.known.has(keyOf(asParsed))) {
      return asParsed;
    }
    const parsed = parseTiming(timing, timezone, what);
    this.of(parsed);
    return parsed;
  };

  /** @param timing a checked timing */
  of(timing: ParsedTiming): Timetable {
    const key = keyOf(timing);
    const timetable = this.known.get(key) ?? timetableOf(timing);
    // Each use moves a timing to the end, so that the first is the one whose last use is longest ago.
    this.known.delete(key);
    this.known.set(key, timetable);
    if (this.known.size > SIZE) this.known.delete(this.known.keys().next().value as string);
    return timetable;
  }
}

function keyOf({ cron, every, timezone }: ParsedTiming): string {
  return JSON.stringify([cron, every, timezone]);
}
