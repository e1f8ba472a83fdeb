import { checkPosition } from '../list-position.js';
import {
  isOrderedByTime,
  type ListEntry,
  type ListPort,
  type ListPosition,
  type ListRequest,
  type QueueFigures,
  type StoredCall,
  type StoredList,
} from '../ports/list-port.js';
import type { Json } from '../json.js';
import type { TaskRecord } from '../task.js';
import type { Place, StoredTask } from './stored-task.js';
import type { TaskStore } from './task-store.js';

/** A list: a place of the store, and the numbers by which its tasks are ordered. */
interface Part {
  readonly place: Place;
  readonly order: (task: StoredTask) => readonly number[];
  readonly isDescending?: true;
}

const byEnd = { order: ({ finishedAt }: StoredTask) => [finishedAt ?? 0], isDescending: true } as const;

/** One list has the waiting tasks of all priorities. */
const PARTS: Readonly<Record<Exclude<StoredList, 'paused' | 'prioritized'>, Part>> = {
  queued: { place: 'queued', order: ({ options, order }) => [-(options.priority ?? 0), order] },
  delayed: { place: 'delayed', order: ({ due }) => [due] },
  running: { place: 'running', order: ({ startedAt }) => [startedAt ?? 0] },
  waiting: { place: 'waiting', order: ({ enqueuedAt }) => [enqueuedAt] },
  succeeded: { place: 'succeeded', ...byEnd },
  failed: { place: 'failed', ...byEnd },
};

export interface MemoryListsDeps {
  /** Throws once the application is closed. */
  readonly store: (what: string) => TaskStore;
  readonly isPaused: (queue: string) => boolean;
  readonly recordOf: (task: StoredTask) => TaskRecord | undefined;
}

/** Reads the tasks of a place in the order of a list. Each page walks through all tasks: they are in this process. */
export class MemoryLists implements ListPort {
  constructor(private readonly deps: MemoryListsDeps) {}

  async queueNames(): Promise<string[]> {
    return this.deps.store('list queues').queueNames().toSorted();
  }

  async list({ list, queues, after, count }: ListRequest): Promise<ListEntry[]> {
    const store = this.deps.store('list tasks');
    if (list === 'paused' || list === 'prioritized') return [];
    const part = PARTS[list];
    const wanted = new Set(queues);
    const begin =
      after &&
      placeOf(
        checkPosition(
          after,
          after.slice(1, -1).map((_, index) => index + 1),
          3,
        ),
      );
    const direction = part.isDescending ? -1 : 1;
    const first: ListPlace[] = [];
    for (const task of store.all()) {
      if (task.place !== part.place || !wanted.has(task.queue)) continue;
      const place = { group: isOrderedByTime(list) ? '' : task.queue, numbers: part.order(task), id: task.id };
      if (!begin || compare(place, begin, direction) > 0) insert(place, first, count, direction);
    }
    return first.map((place) => {
      const task = store.find(place.id) as StoredTask;
      const position = [place.group, ...place.numbers.map(String), place.id];
      return {
        record: this.deps.recordOf(task),
        parent: task.workflow?.parent?.id,
        args: () => JSON.parse(task.args) as Json[],
        position,
        time: isOrderedByTime(list) ? (place.numbers[0] ?? 0) : 0,
      };
    });
  }

  async details(id: string): Promise<StoredCall | undefined> {
    const task = this.deps.store('find').find(id);
    const record = task && this.deps.recordOf(task);
    if (!record) return undefined;
    const { args, options, workflow } = task;
    return { record, args: JSON.parse(args) as Json[], options: { ...options }, parent: workflow?.parent?.id };
  }

  async countQueued(queue: string, most: number): Promise<number> {
    const [figures] = await this.figures([queue]);
    return figures ? Math.min(figures.sizes.queued + figures.sizes.delayed, most) : 0;
  }

  async figures(queues: readonly string[]): Promise<QueueFigures[]> {
    const figures = new Map(
      queues.map((queue) => [
        queue,
        { sizes: { queued: 0, delayed: 0, running: 0, waiting: 0, succeeded: 0, failed: 0 }, queuedSince: Infinity },
      ]),
    );
    for (const task of this.deps.store('count tasks').all()) {
      const of = figures.get(task.queue);
      if (!of || task.place === 'removed') continue;
      of.sizes[task.place]++;
      if (task.place === 'queued') of.queuedSince = Math.min(of.queuedSince, startableSince(task));
    }
    return Array.from(figures, ([queue, { sizes, queuedSince }]) => {
      return { isPaused: this.deps.isPaused(queue), sizes, queuedSince: queuedSince === Infinity ? null : queuedSince };
    });
  }
}

/** The time since when a queued task could start. See `queuedSince` of the other engines. */
function startableSince({ enqueuedAt, options: { startAt }, startedAt }: StoredTask): number {
  return Math.max(enqueuedAt, startAt ?? 0, startedAt ?? 0);
}

/** The place of a task in a list. */
interface ListPlace {
  /** The queue, or nothing in a list that has one order for all queues. */
  readonly group: string;
  readonly numbers: readonly number[];
  readonly id: string;
}

function placeOf(position: ListPosition): ListPlace {
  return { group: position[0] ?? '', numbers: position.slice(1, -1).map(Number), id: position.at(-1) ?? '' };
}

/** @param direction 1, or -1 when larger numbers and ids come first */
function compare(one: ListPlace, other: ListPlace, direction: number): number {
  if (one.group !== other.group) return one.group < other.group ? -1 : 1;
  for (const [index, number] of one.numbers.entries()) {
    const difference = number - (other.numbers[index] ?? 0);
    if (difference !== 0) return direction * difference;
  }
  return one.id === other.id ? 0 : direction * (one.id < other.id ? -1 : 1);
}

/** Keeps the first places of a list, in order. */
function insert(place: ListPlace, first: ListPlace[], count: number, direction: number): void {
  let [low, high] = [0, first.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(first[middle] as ListPlace, place, direction) < 0) low = middle + 1;
    else high = middle;
  }
  if (low === count) return;
  first.splice(low, 0, place);
  if (first.length > count) first.pop();
}
