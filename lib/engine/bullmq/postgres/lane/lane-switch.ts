import type { Logger } from '@nestjs/common';
import { LANE_SCHEMA } from './lane-statement.js';

/** Milliseconds for which a queue leaves the lane after a statement that did not do what it is for. */
const REST = 1_000;

/** The codes of errors that are about a statement itself: a column or a privilege is missing. */
const CANNOT_RUN = /^42/;

/** Decides which queues of a process use the lane just now. */
export class LaneSwitch {
  private hasTurnedOff = false;
  private readonly restsUntil = new Map<string, number>();

  constructor(private readonly logger: Pick<Logger, 'warn'>) {}

  /** Whether the tables have another version than the statements of this package are for, or one of them could not run. */
  get isOff(): boolean {
    return this.hasTurnedOff;
  }

  isOn(queue: string): boolean {
    return !this.hasTurnedOff && !(performance.now() < (this.restsUntil.get(queue) ?? 0));
  }

  /** @returns whether the error means that the tables cannot run a statement of this package */
  turnOffIfUnable(error: unknown): boolean {
    if (!CANNOT_RUN.test((error as { code?: string }).code ?? '')) return false;
    this.turnOff(error as Error);
    return true;
  }

  /** @param error why a statement cannot run; `undefined`: the tables have another version than the statement is for */
  turnOff(error?: Error): void {
    if (this.hasTurnedOff) return;
    this.hasTurnedOff = true;
    const reason = error
      ? `A statement that does the work of several cannot run (${error.message}).`
      : `The tables of BullMQ do not have version ${LANE_SCHEMA}, for which this version of nestjs-task-queue can store many tasks, and the ends of many, with one statement.`;
    this.logger.warn(`${reason} Tasks run as before, but fewer in a second. Update nestjs-task-queue.`);
  }

  /** The queue has a limit, or a statement failed: BullMQ's own functions do the work for a while. */
  rest(queue: string): void {
    this.restsUntil.set(queue, performance.now() + REST);
  }
}
