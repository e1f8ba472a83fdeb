import { Figures } from './figures.js';

/** The number of the form of a text. A process leaves texts with a higher number alone. */
const FORMAT = 1;
/** Names of each queue that have figures of their own. An application that makes up names must not fill the store. */
export const MOST_NAMES = 500;
/** The name under which all further names of a queue count. */
export const OTHER_NAMES = '(other)';

/** The figures of all queues and names in one span of time. */
export class Bucket {
  private readonly queues = new Map<string, Map<string, Figures>>();
  /** The keys of the texts whose figures are in this bucket, as long as they may be stored beside it. */
  sources: readonly string[] = [];

  of(queue: string, name: string): Figures {
    let names = this.queues.get(queue);
    if (!names) this.queues.set(queue, (names = new Map<string, Figures>()));
    const known = names.get(name);
    if (known) return known;
    const counted = names.size < MOST_NAMES ? name : OTHER_NAMES;
    const figures = names.get(counted) ?? new Figures();
    names.set(counted, figures);
    return figures;
  }

  *entries(): Generator<readonly [queue: string, name: string, figures: Figures]> {
    for (const [queue, names] of this.queues) for (const [name, figures] of names) yield [queue, name, figures];
  }

  merge(other: Bucket): void {
    for (const [queue, name, figures] of other.entries()) this.add(queue, name, figures);
  }

  /** Keeps the counts alone. */
  dropDurations(): void {
    for (const [, , figures] of this.entries()) figures.dropDurations();
  }

  private add(queue: string, name: string, figures: Figures): void {
    this.of(queue, name).merge(figures);
  }

  write(): string {
    const queues = Array.from(this.queues, ([queue, names]) => [
      queue,
      Array.from(names, ([name, figures]) => [name, figures.write()]),
    ]);
    return JSON.stringify({ format: FORMAT, sources: this.sources, queues });
  }

  /** @returns `undefined` for a text that is no bucket of this form: any client of the store may write any text */
  static read(text: string): Bucket | undefined {
    try {
      const { format, sources, queues } = JSON.parse(text) as { format: unknown; sources: string[]; queues: unknown };
      if (format !== FORMAT || !Array.isArray(sources)) return undefined;
      const bucket = new Bucket();
      bucket.sources = sources;
      for (const [queue, names] of queues as [unknown, [unknown, unknown][]][])
        for (const [name, figures] of names) bucket.add(String(queue), String(name), Figures.read(figures));
      return bucket;
    } catch {
      return undefined;
    }
  }
}
