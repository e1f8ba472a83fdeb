/** What can wait for a batch. */
export interface Batchable {
  /** Only items of the same group come into the same batch. */
  readonly group: string;
  /** The most items of a batch with this item. */
  readonly most: number;
  /** Milliseconds that the item may wait for others. */
  readonly wait: number;
}

export interface BatchQueueDeps<T> {
  /** The most batches that run at the same time. */
  readonly atOnce: () => number;
  /** Runs a batch. Never rejects. */
  readonly run: (batch: readonly T[]) => Promise<void>;
}

/** Items that can come into the same batch, in their order. */
interface Group<T> {
  readonly key: string;
  readonly most: number;
  waiting: { readonly item: T; readonly due: number }[];
  /** The time by which a batch of the group must begin, by `performance.now()`. An item that came later may be due earlier. */
  due: number;
}

/**
 * Puts items into batches. A batch begins as soon as it is full, or when an item has waited long enough, and one of the places is
 * free. Until then, further items join it.
 */
export class BatchQueue<T extends Batchable> {
  private readonly groups = new Map<string, Group<T>>();
  private running = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: BatchQueueDeps<T>) {}

  add(item: T): void {
    const key = `${item.most}:${item.group}`;
    const group = this.groups.get(key) ?? { key, most: item.most, waiting: [], due: Infinity };
    this.groups.set(key, group);
    const due = performance.now() + item.wait;
    group.waiting.push({ item, due });
    const isFirst = group.waiting.length === 1;
    group.due = Math.min(group.due, due);
    if (isFull(group)) this.startBatches();
    // Also without a time to wait: the calls that came in the same turn of the event loop come into one batch.
    else if (isFirst || group.due === due) this.startIn(Math.min(...this.waits()));
  }

  /** @returns whether the item waited, and does not any more */
  remove(item: T): boolean {
    const group = [...this.groups.values()].find(({ waiting }) => waiting.some((one) => one.item === item));
    if (!group) return false;
    this.keep(
      group,
      group.waiting.filter((one) => one.item !== item),
    );
    this.startBatches();
    return true;
  }

  /** Takes out all items that wait. */
  clear(): T[] {
    clearTimeout(this.timer);
    const items = [...this.groups.values()].flatMap(({ waiting }) => waiting.map(({ item }) => item));
    this.groups.clear();
    return items;
  }

  /** Starts the batches for which there is a place, and comes back when the next one is due. */
  private startBatches(): void {
    clearTimeout(this.timer);
    const now = performance.now();
    let next = this.nextGroup();
    while (next && this.running < this.deps.atOnce() && (isFull(next) || next.due <= now)) {
      this.start(next);
      next = this.nextGroup();
    }
    // A group that is due, or full, waits for a free place and not for a time.
    if (next && !isFull(next) && next.due > now) this.startIn(next.due - now);
  }

  private startIn(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.startBatches(), Math.ceil(milliseconds));
  }

  /** The group whose batch begins next: a full one or one that is due, the one that waits longest, else the one that is due first. */
  private nextGroup(): Group<T> | undefined {
    const now = performance.now();
    const rank = (group: Group<T>) => (isFull(group) || group.due <= now ? Math.min(group.due, now) : group.due);
    let first: Group<T> | undefined;
    for (const group of this.groups.values()) if (!first || rank(group) < rank(first)) first = group;
    return first;
  }

  private start(group: Group<T>): void {
    const batch = group.waiting.slice(0, group.most);
    this.keep(group, group.waiting.slice(group.most));
    this.running++;
    void this.deps.run(batch.map(({ item }) => item)).then(() => {
      this.running--;
      this.startBatches();
    });
  }

  /** Milliseconds until the batch of each group is due. */
  private waits(): number[] {
    const now = performance.now();
    return Array.from(this.groups.values(), ({ due }) => Math.max(due - now, 0));
  }

  private keep(group: Group<T>, waiting: Group<T>['waiting']): void {
    group.waiting = waiting;
    group.due = Math.min(...waiting.map(({ due }) => due));
    if (waiting.length === 0) this.groups.delete(group.key);
  }
}

function isFull<T>({ waiting, most }: Group<T>): boolean {
  return waiting.length >= most;
}
