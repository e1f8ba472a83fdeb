/**
 * Says for each text at most once in a while that it is due, so that a log stays readable. Texts may come from outside in any number, so
 * it remembers a limited number of them: when that number is reached, no further text is due for a while.
 */
export class OnceInAWhile {
  /** The times at which the texts were due last, the oldest first. By `performance.now()`. */
  private readonly dueAt = new Map<string, number>();

  /**
   * @param pause milliseconds
   * @param most the most texts within the pause
   */
  constructor(
    private readonly pause: number,
    private readonly most: number,
  ) {}

  isDue(text: string): boolean {
    const now = performance.now();
    for (const [known, at] of this.dueAt) {
      if (at + this.pause > now) break;
      this.dueAt.delete(known);
    }
    if (this.dueAt.has(text) || this.dueAt.size >= this.most) return false;
    this.dueAt.set(text, now);
    return true;
  }
}
