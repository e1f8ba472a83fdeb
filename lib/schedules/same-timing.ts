import type { StoredSchedule } from './stored-schedule.js';

type Timed = Pick<StoredSchedule, 'cron' | 'every' | 'timezone' | 'endsAt' | 'limit'>;

/** Whether two schedules mean the same ticks. One whose ticks change begins anew, with nothing missed and no run counted. */
export function sameTiming(a: Timed, b: Timed): boolean {
  return (
    a.cron === b.cron &&
    a.every === b.every &&
    a.timezone === b.timezone &&
    a.endsAt === b.endsAt &&
    a.limit === b.limit
  );
}
