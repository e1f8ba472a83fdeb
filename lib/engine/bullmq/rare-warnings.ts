import { Logger } from '@nestjs/common';

/** Milliseconds after which the same warning is logged again. */
const REPEAT_AFTER = 60_000;

/** Logs each warning at most once a minute, for faults that others may cause as often as they like. */
export class RareWarnings {
  private readonly logger = new Logger('TaskQueue');
  /** The time at which each warning was logged last. The texts that are logged are few. */
  private readonly warnedAt = new Map<string, number>();

  warn(line: string): void {
    const now = performance.now();
    for (const [known, at] of this.warnedAt) if (at + REPEAT_AFTER <= now) this.warnedAt.delete(known);
    if (this.warnedAt.has(line)) return;
    this.warnedAt.set(line, now);
    this.logger.warn(line);
  }
}
