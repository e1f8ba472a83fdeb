import { Logger } from '@nestjs/common';
import type { Schedules } from './snapshot.js';

/** Logs each schedule that cannot be read, once for each reason. */
export class BrokenScheduleLog {
  private readonly logger = new Logger('TaskQueue');
  /** The reasons that were logged, by the id of the schedule. */
  private readonly reasons = new Map<string, string>();

  report(schedules: Schedules): void {
    for (const id of this.reasons.keys()) if (!schedules.get(id)?.broken) this.reasons.delete(id);
    for (const { id, broken } of schedules.values()) {
      if (!broken || this.reasons.get(id) === broken.reason) continue;
      this.reasons.set(id, broken.reason);
      this.logger.error(
        `Schedule "${id}" is not run, because it cannot be read: ${broken.reason} Set it again with schedules.upsert(), or remove it with schedules.remove().`,
      );
    }
  }
}
