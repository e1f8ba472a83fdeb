/** What one task counts. So about the last ten tasks count. */
const WEIGHT = 0.1;
/** The share of watched tasks above which the next one is expected to be watched, too. */
const LIKELY = 0.5;

/**
 * Foresees whether this process will wait for the ends of the tasks that it is about to store: it does so when it has waited for most of
 * those before.
 */
export class ExpectedWatches {
  private share = 0;

  get areLikely(): boolean {
    return this.share > LIKELY;
  }

  stored(count: number): void {
    this.share *= (1 - WEIGHT) ** count;
  }

  /** The process waits for the end of a task that it has just stored. */
  watched(): void {
    this.share = Math.min(this.share + WEIGHT, 1);
  }
}
