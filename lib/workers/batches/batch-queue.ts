import type { RunPlace } from '../../engine/ports/place-port.js';

/** What can wait for a batch. */
export interface Batchable {
  /** Only items of the same group come into the same batch. */
  readonly group: string;
  /** The most items of a batch with this item. */
  readonly most: number;
  /** Milliseconds that the item may wait for others. */
  readonly wait: number;
  /** Milliseconds after which the item must not begin any more. Default: it may wait for a place as long as that takes. */
  readonly within?: number;
}

export interface BatchQueueDeps<T> {
  /** Gives a place for a batch: at once, or as soon as there is one. */
  readonly takePlace: () => RunPlace | Promise<RunPlace>;
  /** Runs a batch. Never rejects. */
  readonly run: (batch: readonly T[]) => Promise<void>;
  /** Called with items that had no place in time. */
  readonly tooLate: (items: readonly T[]) => void;
}

/** The times of an item by `performance.now()`: its batch should begin by `due`, and must not begin after `until`. */
interface Times {
  readonly due: number;
  readonly until: number;
}

/** Items that can come into the same batch, in their order. */
interface Group<T> {
  readonly key: string;
  readonly most: number;
  readonly waiting: Map<T, Times>;
  /** The time by which a batch of the group should begin. An item that came later may be due earlier. */
  due: number;
  /** The first time after which one of the items must not begin. */
  until: number;
}

/**
 * Puts items into batches. A batch begins as soon as it is full, or when an item has waited long enough, and there is a place. Until
 * then, further items join it.
 */
export class BatchQueue<T extends Batchable> {
  private readonly groups = new Map<string, Group<T>>();
  /** The places that were asked for and have not come. */
  private asked = 0;
  private timer: NodeJS.Timeout | undefined;
  /** The time of the timer, by `performance.now()`. */
  private wakesAt = Infinity;

  constructor(private readonly deps: BatchQueueDeps<T>) {}

  add(item: T): void {
    const key = keyOf(item);
    const group = this.groups.get(key) ?? {
      ...{ key, most: item.most, waiting: new Map(), due: Infinity, until: Infinity },
    };
    this.groups.set(key, group);
    const now = performance.now();
    const times = { due: now + item.wait, until: now + (item.within ?? Infinity) };
    group.waiting.set(item, times);
    group.due = Math.min(group.due, times.due);
    group.until = Math.min(group.until, times.until);
    // Once for each batch that is full by now.
    if (group.waiting.size % group.most === 0) this.startBatches();
    // Also without a time to wait: the calls that came in the same turn of the event loop come into one batch.
    else this.wakeBy(Math.min(times.due, times.until));
  }

  /** @returns whether the item waited, and does not any more */
  remove(item: T): boolean {
    const group = this.groups.get(keyOf(item));
    if (!group?.waiting.has(item)) return false;
    this.keepWithout(group, [item]);
    return true;
  }

  /** Takes out all items that wait. */
  clear(): T[] {
    clearTimeout(this.timer);
    this.wakesAt = Infinity;
    const items = [...this.groups.values()].flatMap(({ waiting }) => [...waiting.keys()]);
    this.groups.clear();
    return items;
  }

  /** Starts the batches for which there is a place, asks for a place for each other one that may begin, and comes back in time. */
  private startBatches(): void {
    const now = performance.now();
    for (let ready = this.countReady(now); this.asked < ready; ready = this.countReady(now)) {
      const place = this.deps.takePlace();
      if (place instanceof Promise) {
        this.asked++;
        void place.then((given) => {
          this.asked--;
          this.endLate(performance.now());
          this.start(given);
          this.startBatches();
        });
      } else this.start(place);
    }
    this.endLate(now);
    this.startWhenDue(now);
  }

  /** Batches that are full or due. */
  private countReady(now: number): number {
    let count = 0;
    for (const { waiting, most, due } of this.groups.values()) {
      const full = Math.floor(waiting.size / most);
      // Only one batch of a group can be due and not full, and it comes last.
      count +=
        full + (full * most < waiting.size && (full === 0 ? due <= now : isRestDue(waiting, full * most, now)) ? 1 : 0);
    }
    return count;
  }

  /** @param now the time by which the batches that are due were counted. One that is due since then needs a timer */
  private startWhenDue(now: number): void {
    clearTimeout(this.timer);
    this.wakesAt = Infinity;
    // A batch that is due waits for a place and not for a time, unless one of its items must not wait so long.
    for (const { due, until } of this.groups.values()) this.wakeBy(due > now ? due : until);
  }

  private wakeBy(time: number): void {
    if (time >= this.wakesAt) return;
    clearTimeout(this.timer);
    this.wakesAt = time;
    this.timer = setTimeout(() => this.startBatches(), Math.ceil(Math.max(time - performance.now(), 0)));
  }

  /** Starts the batch that comes next. */
  private start(place: RunPlace): void {
    const group = this.nextGroup();
    if (!group) return place.giveBack();
    const batch: T[] = [];
    for (const item of group.waiting.keys()) if (batch.push(item) === group.most) break;
    this.keepWithout(group, batch);
    void this.deps.run(batch).then(() => {
      place.giveBack();
      this.startBatches();
    });
  }

  /** The group whose batch begins next: of those that are full or due, the one that has waited longest. */
  private nextGroup(): Group<T> | undefined {
    const now = performance.now();
    let first: Group<T> | undefined;
    for (const group of this.groups.values()) {
      const isReady = group.waiting.size >= group.most || group.due <= now;
      if (isReady && (!first || group.due < first.due)) first = group;
    }
    return first;
  }

  /** Takes out the items that had no place in time. Those that got one when they were due have begun. */
  private endLate(now: number): void {
    for (const group of this.groups.values()) {
      if (group.until > now) continue;
      const late = Array.from(group.waiting).flatMap(([item, { until }]) => (until <= now ? [item] : []));
      this.keepWithout(group, late);
      this.deps.tooLate(late);
    }
  }

  private keepWithout(group: Group<T>, items: readonly T[]): void {
    for (const item of items) group.waiting.delete(item);
    group.due = Infinity;
    group.until = Infinity;
    for (const { due, until } of group.waiting.values()) {
      group.due = Math.min(group.due, due);
      group.until = Math.min(group.until, until);
    }
    if (group.waiting.size === 0) this.groups.delete(group.key);
  }
}

function keyOf({ most, group }: Batchable): string {
  return `${most}:${group}`;
}

/** Whether an item behind the first `skipped` ones is due. */
function isRestDue(waiting: ReadonlyMap<unknown, Times>, skipped: number, now: number): boolean {
  let index = 0;
  for (const { due } of waiting.values()) if (index++ >= skipped && due <= now) return true;
  return false;
}
