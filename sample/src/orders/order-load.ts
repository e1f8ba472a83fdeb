import type { Tasks } from 'nestjs-task-queue';
import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { OrderDatabase } from './order-database.js';
import { type Order, PRODUCTS } from './order-statements.js';
import type { OrderTasks } from './orders.tasks.js';

export interface LoadRequest {
  readonly way: 'direct' | 'queue';
  readonly shops: number;
  readonly orders: number;
}

/** What the page shows of a load. Times are in milliseconds. */
export interface LoadView extends LoadRequest {
  readonly id: string;
  readonly isDone: boolean;
  readonly time: number;
  /** Orders that are in the table. */
  readonly written: number;
  /** Orders whose shop got a success, and those whose shop got an error. A shop does not repeat an order. */
  readonly accepted: number;
  readonly refused: number;
  /** How long a shop waited for the answer to an order: the half, and 99 of 100, were faster. */
  readonly p50: number;
  readonly p99: number;
  /** Connections of shops and workers now and at most, and how many of them waited for another one. */
  readonly connections: number;
  readonly mostConnections: number;
  readonly waiting: number;
  readonly mostWaiting: number;
  readonly isDatabaseUp: boolean;
}

/** Milliseconds between two measurements. */
const EVERY = 200;
/** Milliseconds after which a load ends in any case. */
const LONGEST = 120_000;

/** Many shops that write orders as fast as they can, in one of two ways. */
export class OrderLoad {
  readonly id = randomUUID();
  private readonly begun = performance.now();
  private readonly times: number[] = [];
  private accepted = 0;
  private refused = 0;
  private measured = {
    ...{ time: 0, written: 0, connections: 0, mostConnections: 0, waiting: 0, mostWaiting: 0 },
    ...{ isDatabaseUp: true, isDone: false },
  };

  constructor(
    private readonly request: LoadRequest,
    private readonly deps: { readonly database: OrderDatabase; readonly tasks: Tasks<OrderTasks> },
  ) {}

  get isDone(): boolean {
    return this.measured.isDone;
  }

  /** Resolves once every accepted order is in the table. Never rejects. */
  async run(): Promise<void> {
    const { shops, orders } = this.request;
    const share = (shop: number) => Math.floor(orders / shops) + (shop < orders % shops ? 1 : 0);
    const all = Array.from({ length: shops }, (_, shop) => this.shop(shop, share(shop)));
    const end = Promise.all(all).then(() => true);
    await this.measure();
    for (let areShopsDone = false; !this.isOver(areShopsDone);) {
      areShopsDone = await Promise.race([end, setTimeout(EVERY, false)]);
      if (areShopsDone) await setTimeout(EVERY);
      await this.measure();
    }
    this.measured.isDone = true;
  }

  private isOver(areShopsDone: boolean): boolean {
    const { written, time } = this.measured;
    return (areShopsDone && written >= this.accepted) || time > LONGEST;
  }

  /** Yields the figures as they change, the last ones after the end. */
  async *views(signal: AbortSignal): AsyncGenerator<LoadView> {
    for (let isLast = false; !isLast && !signal.aborted;) {
      isLast = this.isDone;
      yield this.view();
      if (!isLast) await setTimeout(EVERY);
    }
  }

  private view(): LoadView {
    const sorted = this.times.toSorted((one, other) => one - other);
    const percentile = (part: number) => sorted[Math.floor(sorted.length * part)] ?? 0;
    const { accepted, refused } = this;
    const [p50, p99] = [percentile(0.5), percentile(0.99)];
    return { id: this.id, ...this.request, ...this.measured, accepted, refused, p50, p99 };
  }

  private async shop(shop: number, count: number): Promise<void> {
    const { write, close } = this.request.way === 'direct' ? this.directly() : this.throughTheQueue();
    for (let index = 0; index < count; index++) {
      const order = { load: this.id, shop, product: randomInt(PRODUCTS), quantity: randomInt(1, 5) };
      const begun = performance.now();
      try {
        await write(order);
        this.accepted++;
      } catch {
        this.refused++;
        // A shop that gets an error serves its next customer a moment later.
        await setTimeout(EVERY);
      }
      this.times.push(performance.now() - begun);
    }
    await close();
  }

  /** A shop with a connection of its own waits for its transaction. */
  private directly() {
    const shop = this.deps.database.openShop(this.id);
    return { write: (order: Order) => shop.write({ id: randomUUID(), ...order }), close: () => shop.close() };
  }

  /** A shop without a connection waits until its order is stored as a task. */
  private throughTheQueue() {
    const { tasks } = this.deps;
    return {
      write: async (order: Order) => void (await tasks.store.enqueue(order)),
      close: async () => undefined,
    };
  }

  private async measure(): Promise<void> {
    const { database } = this.deps;
    const { measured } = this;
    measured.time = performance.now() - this.begun;
    try {
      const [{ connections, waiting }, written] = await Promise.all([
        database.pressure(this.id),
        database.countOf(this.id),
      ]);
      Object.assign(measured, { connections, waiting, written });
      measured.mostConnections = Math.max(measured.mostConnections, connections);
      measured.mostWaiting = Math.max(measured.mostWaiting, waiting);
      measured.isDatabaseUp = !(await database.isStopped());
    } catch {
      measured.isDatabaseUp = false;
    }
  }
}
