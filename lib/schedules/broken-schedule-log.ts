import type { Schedule } from './schedule.js';
import { PackageLogger } from '../package-logger.js';

/** Logs each schedule that cannot be read, once for each reason. */
export class BrokenScheduleLog {
  private readonly logger = new PackageLogger();
  /** The reasons that were logged, by the id of the schedule. */
  private readonly reasons = new Map<string, string>();

  /** @param schedules those that were just read */
  report(schedules: Iterable<Schedule>): void {
    for (const { id, broken } of schedules) {
      if (!broken) this.reasons.delete(id);
      else if (this.reasons.get(id) !== broken.reason) {
        this.reasons.set(id, broken.reason);
        this.logger.error(
          `Schedule "${id}" is not run, because it cannot be read: ${broken.reason} Set it again with schedules.upsert(), or remove it with schedules.remove().`,
        );
      }
    }
  }
}
