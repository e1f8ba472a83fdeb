/** An item knows its place in the one heap that holds it, so it can be removed from anywhere in it. */
export interface HeapItem {
  /** The index in the heap; -1 outside of one. */
  position: number;
}

/** A binary heap: the first item is found at once, adding and removing takes logarithmic time. */
export class Heap<T extends HeapItem> {
  private readonly items: T[] = [];

  constructor(private readonly isBefore: (one: T, other: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  get first(): T | undefined {
    return this.items[0];
  }

  add(item: T): void {
    this.items.push(item);
    this.rise(item, this.items.length - 1);
  }

  /** Removes an item of this heap. */
  remove(item: T): void {
    const { position } = item;
    const last = this.items.pop() as T;
    item.position = -1;
    if (last === item) return;
    this.rise(last, position);
    this.sink(last, last.position);
  }

  private rise(item: T, from: number): void {
    let position = from;
    while (position > 0) {
      const parent = this.items[(position - 1) >> 1] as T;
      if (!this.isBefore(item, parent)) break;
      this.put(parent, position);
      position = (position - 1) >> 1;
    }
    this.put(item, position);
  }

  private sink(item: T, from: number): void {
    let position = from;
    for (;;) {
      const left = 2 * position + 1;
      const [one, other] = [this.items[left], this.items[left + 1]];
      if (!one) break;
      const child = other && this.isBefore(other, one) ? other : one;
      if (!this.isBefore(child, item)) break;
      const next = child.position;
      this.put(child, position);
      position = next;
    }
    this.put(item, position);
  }

  private put(item: T, position: number): void {
    this.items[position] = item;
    item.position = position;
  }
}
