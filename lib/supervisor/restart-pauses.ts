/** Milliseconds before a process is started again, by how often it ended soon after its start. */
const PAUSES = [250, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;

/** A process that lived so long counts as one that runs: the next pause is the shortest again. */
const LONG_LIFE = 60_000;

/** How long to wait before the process of one place starts again. */
export class RestartPauses {
  private crashes = 0;
  /** Starts in a row that did not come up. */
  failedBoots = 0;

  cameUp(): void {
    this.failedBoots = 0;
  }

  /**
   * A process ended that was not asked to.
   *
   * @param hadBooted whether its application had booted
   * @param lived milliseconds
   * @returns milliseconds to wait
   */
  next(hadBooted: boolean, lived: number): number {
    if (!hadBooted) this.failedBoots += 1;
    if (hadBooted && lived >= LONG_LIFE) this.crashes = 0;
    this.crashes += 1;
    return PAUSES[Math.min(this.crashes, PAUSES.length) - 1] as number;
  }
}
