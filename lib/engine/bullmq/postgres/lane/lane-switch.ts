import type { Logger } from '@nestjs/common';
import { LANE_SCHEMA } from './lane-statement.js';

/** Milliseconds for which a queue leaves the lane after a statement that did not do what it is for. */
const REST = 1_000;

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

  /** @param error why the statement cannot run; `undefined`: the tables have another version than the statement is for */
  turnOff(error?: Error): void {
    if (this.hasTurnedOff) return;
    this.hasTurnedOff = true;
    const reason = error
      ? `One statement cannot store the ends of many tasks (${error.message}).`
      : `The tables of BullMQ do not have version ${LANE_SCHEMA}, for which this version of nestjs-task-queue can store many tasks, and the ends of many, with one statement.`;
    this.logger.warn(`${reason} Tasks run as before, but fewer in a second. Update nestjs-task-queue.`);
  }

  /** The queue has a limit, or a statement failed: BullMQ's own functions do the work for a while. */
  rest(queue: string): void {
    this.restsUntil.set(queue, performance.now() + REST);
  }
}
