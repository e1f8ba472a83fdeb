import type { Figures } from '../harness/contender.js';

/** Counts calls by the milliseconds that they took, so that several processes can be put together. */
export class Latencies {
  private readonly counts = new Map<string, number>();

  /** Calls `work`, and counts its time. */
  async measure(work: () => Promise<unknown>): Promise<void> {
    const begun = performance.now();
    await work();
    const key = (performance.now() - begun).toPrecision(3);
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  /** Milliseconds with three digits, and how many calls took as long. */
  get figures(): Figures {
    return Object.fromEntries(this.counts);
  }

  /** The time that `percent` percent of the calls of all processes do not exceed. */
  static percentile(processes: readonly Figures[], percent: number): number {
    const all = processes
      .flatMap((figures) => Object.entries(figures))
      .map(([time, count]) => [Number(time), count] as const)
      .toSorted(([one], [other]) => one - other);
    const total = all.reduce((sum, [, count]) => sum + count, 0);
    let seen = 0;
    return all.find(([, count]) => (seen += count) >= (total * percent) / 100)?.[0] ?? 0;
  }
}
