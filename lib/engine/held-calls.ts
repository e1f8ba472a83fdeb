import { refuseConflict } from './deduplication.js';
import type { ClockPort } from './ports/clock-port.js';
import type { EnqueuePort } from './ports/enqueue-port.js';
import type { TransactionEnqueue } from './ports/transaction-port.js';
import type { Receipt, TaskCall } from './task.js';

/** The part of the memory engine that held calls need. */
export interface HoldingEngine extends EnqueuePort, ClockPort {
  /** The receipt of an earlier task that stands for the call, if there is one. @throws IdempotencyConflictError */
  earlierOf(call: TaskCall): Receipt | undefined;
}

/** Keeps what transactions enqueue until a test commits, as a database does. All transactions of a test are one. */
export class HeldCalls {
  private stores: (() => Promise<unknown>)[] = [];
  private readonly keys = new Map<string, TaskCall>();

  portOf(engine: HoldingEngine): TransactionEnqueue {
    const { stores } = this;
    return {
      enqueue: async (calls) => {
        // All calls are checked before one of them is held.
        const receipts = calls.map((call) => engine.earlierOf(call) ?? this.hold(call, engine.now()));
        const held = calls.filter((_, index) => !receipts[index]?.deduplicated);
        this.stores.push(() => engine.enqueue(held));
        return receipts;
      },
      enqueueTree: async (tree) => {
        this.stores.push(() => engine.enqueueTree(tree));
        return { id: tree.id, deduplicated: false, state: tree.members.length > 0 ? 'waiting' : 'queued' };
      },
      isStored: (call) => engine.isStored(call),
      isOpen: async () => this.stores === stores,
    };
  }

  /** Stores the held calls, in their order. */
  async commit(): Promise<void> {
    for (const store of this.end()) await store();
  }

  /** Drops the held calls. */
  rollback(): void {
    this.end();
  }

  private end(): (() => Promise<unknown>)[] {
    const { stores } = this;
    this.stores = [];
    this.keys.clear();
    return stores;
  }

  private hold(call: TaskCall, now: number): Receipt {
    const { id, unique, options } = call;
    const earlier = unique && this.keys.get(unique.key);
    const state = (options.startAt ?? 0) > now ? 'scheduled' : 'queued';
    if (earlier) {
      refuseConflict(call, earlier);
      return { id: earlier.id, deduplicated: true, state };
    }
    if (unique) this.keys.set(unique.key, call);
    return { id, deduplicated: false, state };
  }
}
