import { isInternalQueue } from '../task-id.js';
import { Bucket } from './bucket.js';
import type { CountedEvent } from './figures.js';

export const MINUTE = 60_000;
/** Minutes that wait to be stored. When the store cannot be reached for longer, the oldest are dropped. */
const MOST_MINUTES = 60;

/** What is known of an attempt that ended. Times are milliseconds. */
export interface CountedTimes {
  /** Only of a first attempt. */
  readonly wait?: number | undefined;
  readonly run?: number | undefined;
}

/** Counts what this process does with tasks, minute by minute, until it is stored. It costs a task a few additions. */
export class TaskCounter {
  private minutes = new Map<number, Bucket>();

  /** @param onFirst called when something is counted and nothing waits to be stored */
  constructor(private readonly onFirst: () => void) {}

  count(event: CountedEvent, queue: string, name: string, at: number, times?: CountedTimes): void {
    if (isInternalQueue(queue)) return;
    const figures = this.bucketOf(Math.floor(at / MINUTE) * MINUTE).of(queue, name);
    figures.counts[event]++;
    if (times?.wait !== undefined) figures.wait.add(times.wait);
    if (times?.run !== undefined) figures.run.add(times.run);
  }

  /** Takes out what was counted so far, by the beginnings of the minutes. */
  take(): Map<number, Bucket> {
    const { minutes } = this;
    this.minutes = new Map();
    return minutes;
  }

  private bucketOf(minute: number): Bucket {
    const known = this.minutes.get(minute);
    if (known) return known;
    if (this.minutes.size === 0) this.onFirst();
    const bucket = new Bucket();
    this.minutes.set(minute, bucket);
    if (this.minutes.size > MOST_MINUTES) this.minutes.delete(Math.min(...this.minutes.keys()));
    return bucket;
  }
}
