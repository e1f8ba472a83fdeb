/**
 * Remembers tasks that changed for at least one period and at most two, in two generations, so that forgetting costs
 * nothing per task. Its owner calls {@link age} once a period.
 */
export class RecentChanges {
  /** By task: whether it may have become final. */
  private recent = new Map<string, boolean>();
  private earlier = new Map<string, boolean>();

  add(id: string, isEnd: boolean): void {
    if (isEnd || !this.recent.has(id)) this.recent.set(id, isEnd);
  }

  /** @param endOnly whether the task may have become final */
  has(id: string, endOnly: boolean): boolean {
    if (endOnly) return (this.recent.get(id) ?? false) || (this.earlier.get(id) ?? false);
    return this.recent.has(id) || this.earlier.has(id);
  }

  age(): void {
    this.earlier = this.recent;
    this.recent = new Map();
  }
}
