import { QueueFullError } from '../errors.js';
import type { ClockPort } from './ports/clock-port.js';
import type { EnqueuePort } from './ports/enqueue-port.js';
import type { ListPort } from './ports/list-port.js';
import { QueueRoom, type TakenRoom } from './queue-room.js';
import type { Receipt, TaskCall, TaskTree } from './task.js';

export interface LimitedEnqueueDeps {
  readonly engine: EnqueuePort & ClockPort & { readonly lists: Pick<ListPort, 'countQueued'> };
  /** The most tasks that wait in the queue; `undefined` for no limit. */
  readonly maxQueued: (queue: string) => number | undefined;
}

/**
 * Stores the calls of the application, unless their queue is full. What belongs to tasks that were stored earlier goes to the
 * engine itself: retries, later members of workflows, callbacks.
 *
 * Each method throws QueueFullError when a queue is full, and then it has stored nothing.
 */
export class LimitedEnqueue implements EnqueuePort, ClockPort {
  constructor(
    private readonly deps: LimitedEnqueueDeps,
    private readonly rooms = new Map<string, QueueRoom>(),
  ) {}

  /** Stores through another port, under the same limits. */
  through(port: EnqueuePort): LimitedEnqueue {
    const { engine, maxQueued } = this.deps;
    return new LimitedEnqueue(
      {
        maxQueued,
        engine: {
          lists: engine.lists,
          now: () => engine.now(),
          enqueue: (calls) => port.enqueue(calls),
          enqueueTree: (tree) => port.enqueueTree(tree),
          isStored: (call) => port.isStored(call),
          untilTimeKnown: () => port.untilTimeKnown?.(),
        },
      },
      this.rooms,
    );
  }

  now(): number {
    return this.deps.engine.now();
  }

  isStored(call: TaskCall): Promise<boolean> {
    return this.deps.engine.isStored(call);
  }

  untilTimeKnown(): Promise<void> | undefined {
    return this.deps.engine.untilTimeKnown?.();
  }

  enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    return this.store(calls, () => this.deps.engine.enqueue(calls));
  }

  enqueueTree(tree: TaskTree): Promise<Receipt> {
    return this.store(firstTasksOf(tree), () => this.deps.engine.enqueueTree(tree));
  }

  private store<T>(calls: readonly TaskCall[], store: () => Promise<T>): Promise<T> {
    const { maxQueued } = this.deps;
    const isLimited = calls.some(({ queue }) => maxQueued(queue) !== undefined);
    return isLimited ? this.storeIfRoom(calls, store) : store();
  }

  private async storeIfRoom<T>(calls: readonly TaskCall[], store: () => Promise<T>): Promise<T> {
    const taken: TakenRoom[] = [];
    try {
      for (const [queue, ofQueue] of byQueue(calls)) {
        const room = await this.take(queue, ofQueue);
        if (room) taken.push(room);
      }
    } catch (error) {
      for (const room of taken) room.giveBack();
      throw error;
    }
    try {
      return await store();
    } finally {
      for (const room of taken) room.end();
    }
  }

  /** @returns `undefined` when the calls need no room. A call that is stored already needs none, so that it can be repeated */
  private async take(queue: string, calls: readonly TaskCall[]): Promise<TakenRoom | undefined> {
    const max = this.deps.maxQueued(queue);
    if (max === undefined) return undefined;
    const room = this.roomOf(queue, max);
    const taken = await room.take(calls.length);
    if (taken) return taken;
    const repeatable = calls.filter(({ unique, isShared }) => unique !== undefined || isShared);
    const areStored = await Promise.all(repeatable.map((call) => this.isStored(call)));
    const rest = calls.length - areStored.filter(Boolean).length;
    if (rest === 0) return undefined;
    const takenByRest = rest < calls.length ? await room.take(rest) : undefined;
    if (takenByRest) return takenByRest;
    throw new QueueFullError(queue, max, room.queued, rest);
  }

  private roomOf(queue: string, max: number): QueueRoom {
    let room = this.rooms.get(queue);
    if (!room) {
      room = new QueueRoom(max, () => this.count(queue, max));
      this.rooms.set(queue, room);
    }
    return room;
  }

  private count(queue: string, max: number): Promise<number> {
    return this.deps.engine.lists.countQueued(queue, max + COUNTED_BEYOND);
  }
}

/** How far beyond the limit of a queue its tasks are counted, for the error that tells their number. */
const COUNTED_BEYOND = 10_000;

/** The tasks of a workflow that wait in their queues at once. The others follow when these have ended. */
function firstTasksOf(tree: TaskTree): TaskTree[] {
  return tree.members.length === 0 ? [tree] : tree.members.flatMap(firstTasksOf);
}

/** The calls of each queue. In the order of names, so that two calls never wait for each other's room. */
function byQueue(calls: readonly TaskCall[]): (readonly [queue: string, calls: readonly TaskCall[]])[] {
  const grouped = new Map<string, TaskCall[]>();
  for (const call of calls) {
    const known = grouped.get(call.queue);
    if (known) known.push(call);
    else grouped.set(call.queue, [call]);
  }
  return [...grouped].toSorted(([one], [other]) => (one < other ? -1 : 1));
}
