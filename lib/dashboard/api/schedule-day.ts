import { Cron } from 'croner';
import type { ScheduleStatus } from '../../schedules/schedule-status.js';

const DAY = 86_400_000;
/** The most ticks that a day shows one by one. */
const MOST = 150;

/** The ticks of the next 24 hours, as ISO 8601 text: {@link MOST} at most. */
export function dayOf({ nextRun, nextRuns, cron, every, timezone, endsAt }: ScheduleStatus, now: number): string[] {
  if (nextRun === null) return [];
  const end = Math.min(now + DAY, endsAt === null ? Infinity : Date.parse(endsAt));
  const ticks = every === null ? cronTicks(cron, timezone, now) : everyTicks(Date.parse(nextRun), every);
  const found = ticks ?? nextRuns.map((tick) => Date.parse(tick));
  return found.filter((tick) => tick < end).map((tick) => new Date(tick).toISOString());
}

function everyTicks(first: number, every: number): number[] {
  return Array.from({ length: Math.min(MOST, Math.ceil(DAY / every)) }, (_, place) => first + place * every);
}

function cronTicks(cron: string | null, timezone: string, now: number): number[] | undefined {
  try {
    return new Cron(cron ?? '', { timezone }).nextRuns(MOST, new Date(now)).map((tick) => tick.getTime());
  } catch {
    return undefined;
  }
}
