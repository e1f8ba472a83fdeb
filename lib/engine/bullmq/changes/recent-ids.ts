/**
 * Remembers ids for at least one period and at most two, in two generations, so that forgetting costs nothing per id. Its
 * owner calls {@link age} once a period.
 */
export class RecentIds {
  private recent = new Set<string>();
  private earlier = new Set<string>();

  add(id: string): void {
    this.recent.add(id);
  }

  delete(id: string): void {
    this.recent.delete(id);
    this.earlier.delete(id);
  }

  has(id: string): boolean {
    return this.recent.has(id) || this.earlier.has(id);
  }

  get isEmpty(): boolean {
    return this.recent.size === 0 && this.earlier.size === 0;
  }

  age(): void {
    this.earlier = this.recent;
    this.recent = new Set();
  }
}
