import { OnceInAWhile } from '../../once-in-a-while.js';
import { PackageLogger } from '../../package-logger.js';

/** Milliseconds after which the same warning is logged again. */
const REPEAT_AFTER = 60_000;
const MOST_LINES = 100;

/** Logs each warning at most once a minute, for faults that others may cause as often as they like. */
export class RareWarnings {
  private readonly logger = new PackageLogger();
  private readonly lines = new OnceInAWhile(REPEAT_AFTER, MOST_LINES);

  warn(line: string): void {
    if (this.lines.isDue(line)) this.logger.warn(line);
  }
}
