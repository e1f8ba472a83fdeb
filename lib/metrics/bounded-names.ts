/** The value of a label for all names beyond the bound. */
export const OTHER = 'other';

/**
 * The values of a label. Names come from stored tasks, which any client of the store may have written, and each name makes time series
 * that are kept for weeks. So only the first names are told apart.
 */
export class BoundedNames {
  private readonly known = new Set<string>();

  /** @param isDeclared names of the code, which are always told apart */
  constructor(
    private readonly most: number,
    private readonly isDeclared: (name: string) => boolean,
  ) {}

  of(name: string): string {
    if (this.known.has(name) || this.isDeclared(name)) return name;
    if (this.known.size >= this.most) return OTHER;
    this.known.add(name);
    return name;
  }
}
