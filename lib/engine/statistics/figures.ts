import { Durations } from './durations.js';

/** What is counted of the tasks of one name. */
export const COUNTS = ['enqueued', 'succeeded', 'failed', 'retried', 'cancelled', 'expired'] as const;
export type CountedEvent = (typeof COUNTS)[number];

/** The figures of the tasks of one name in one span of time. */
export class Figures {
  readonly counts: Record<CountedEvent, number> = {
    enqueued: 0,
    succeeded: 0,
    failed: 0,
    retried: 0,
    cancelled: 0,
    expired: 0,
  };
  /** From the time at which a task could start to the start of its first attempt. */
  wait = new Durations();
  /** Of each attempt. */
  run = new Durations();

  merge(other: Figures): void {
    for (const count of COUNTS) this.counts[count] += other.counts[count];
    this.wait.merge(other.wait);
    this.run.merge(other.run);
  }

  dropDurations(): void {
    this.wait = new Durations();
    this.run = new Durations();
  }

  write(): unknown[] {
    return [...COUNTS.map((count) => this.counts[count]), this.wait.write(), this.run.write()];
  }

  /** @param value any value: any client of the store may write any text */
  static read(value: unknown): Figures {
    const figures = new Figures();
    if (!Array.isArray(value)) return figures;
    for (const [place, count] of COUNTS.entries()) {
      const stored: unknown = value[place];
      if (Number.isSafeInteger(stored) && (stored as number) > 0) figures.counts[count] = stored as number;
    }
    const [wait, run] = value.slice(COUNTS.length).map((text) => new Durations(typeof text === 'string' ? text : ''));
    figures.wait = wait ?? figures.wait;
    figures.run = run ?? figures.run;
    return figures;
  }
}
