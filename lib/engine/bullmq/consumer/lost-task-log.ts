import type { Logger } from '@nestjs/common';
import { listOf } from '../../running-tasks.js';

/** Milliseconds in which tasks are gathered that got lost for the same reason: they share one log line. */
const GATHER_FOR = 250;

/** Logs tasks on which this process lost its lock, and tasks that ended the processes that ran them. */
export class LostTaskLog {
  /** Names by id. */
  private readonly lost = new Map<string, string>();
  private readonly givenUp = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly logger: Logger) {}

  /** This process lost its lock on the task. */
  addLost(id: string, name: string): void {
    this.lost.set(id, name);
    this.flushSoon();
  }

  /** The processes that ran the task died, so often that it is not run again. */
  addGivenUp(id: string, name: string): void {
    this.givenUp.set(id, name);
    this.flushSoon();
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.lost.size > 0) {
      this.logger.warn(
        `This process lost its lock on ${listed(this.lost)}: it was cut off from the server or its event loop was blocked ` +
          'for too long, or the server lost its data. A task that is still stored runs again in another process, and its result here is dropped.',
      );
    }
    if (this.givenUp.size > 0) {
      this.logger.error(
        `The processes that ran ${listed(this.givenUp)} died more than once, so the task failed and does not run again.`,
      );
    }
    this.lost.clear();
    this.givenUp.clear();
  }

  private flushSoon(): void {
    this.timer ??= setTimeout(() => this.flush(), GATHER_FOR).unref();
  }
}

function listed(names: ReadonlyMap<string, string>): string {
  return listOf(Array.from(names, ([id, name]) => ({ id, name })));
}
