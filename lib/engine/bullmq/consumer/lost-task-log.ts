import type { Logger } from '@nestjs/common';
import { listOf } from './running-tasks.js';

/** Those that are lost together, for one reason, are told of in one line. */
const GATHER = 250;

/** Tells in the log of tasks that this process ran and had no hold on any more, and of those that took their processes along. */
export class LostTasks {
  private readonly lost = new Map<string, string>();
  private readonly killers = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly logger: Logger) {}

  /** This process lost its hold on it. */
  lose(id: string, name: string): void {
    this.lost.set(id, name);
    this.tellSoon();
  }

  /** Its processes died, so often that it is not run again. */
  giveUp(id: string, name: string): void {
    this.killers.set(id, name);
    this.tellSoon();
  }

  /** Tells at once what is to be told. */
  tell(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.lost.size > 0) {
      this.logger.warn(
        `This process lost its hold on ${listed(this.lost)}: it was cut off from the server or its event loop was blocked, ` +
          'for too long, or the server lost its data. What is still stored runs again elsewhere, and what it returns here does not count.',
      );
    }
    if (this.killers.size > 0) {
      this.logger.error(
        `The processes that ran ${listed(this.killers)} died more than once, so it failed and is not run again.`,
      );
    }
    this.lost.clear();
    this.killers.clear();
  }

  private tellSoon(): void {
    this.timer ??= setTimeout(() => this.tell(), GATHER).unref();
  }
}

function listed(names: ReadonlyMap<string, string>): string {
  return listOf(Array.from(names, ([id, name]) => ({ id, name })));
}
