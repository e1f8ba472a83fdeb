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
    const isByTime = isOrderedByTime(list);
    const wanted = new Set(queues);
    const rows: { readonly task: StoredTask; readonly position: ListPosition }[] = [];
    for (const task of store.all()) {
      if (!wanted.has(task.queue) || task.place !== part.place) continue;
      const own = [...part.order(task).map(String), task.id];
      rows.push({ task, position: isByTime ? own : [task.queue, ...own] });
    }
    const compare = comparison(isByTime ? 0 : 1, part.isDescending ? -1 : 1);
    const first = rows[0]?.position.length ?? 0;
    const position = after && checkPosition(after, isByTime ? [0] : [1], first);
    return rows
      .filter((row) => !position || compare(row.position, position) > 0)
      .toSorted((one, other) => compare(one.position, other.position))
      .slice(0, count)
      .map(({ task, position: own }) => {
        return { record: this.deps.recordOf(task), parent: task.workflow?.parent?.id, position: own };
      });
  }

  async details(id: string): Promise<StoredCall | undefined> {
    const task = this.deps.store('find').find(id);
    const record = task && this.deps.recordOf(task);
    if (!record) return undefined;
    const { args, options, workflow } = task;
    return { record, args: JSON.parse(args) as Json[], options: { ...options }, parent: workflow?.parent?.id };
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
    return Array.from(figures.values(), ({ sizes, queuedSince }) => {
      return { isPaused: false, sizes, queuedSince: queuedSince === Infinity ? null : queuedSince };
    });
  }
}

/** The time since when a queued task could start. See `queuedSince` of the other engines. */
function startableSince({ enqueuedAt, options: { startAt }, startedAt }: StoredTask): number {
  return Math.max(enqueuedAt, startAt ?? 0, startedAt ?? 0);
}

/** Compares the texts of two positions: numbers, but for the first ones and for the id at the end. */
function comparison(texts: number, direction: number): (one: ListPosition, other: ListPosition) => number {
  return (one, other) => {
    for (const [index, text] of one.entries()) {
      const against = other[index] as string;
      const isNumber = index >= texts && index < one.length - 1;
      const difference = isNumber ? Number(text) - Number(against) : text < against ? -1 : text > against ? 1 : 0;
      if (difference !== 0) return (index < texts ? 1 : direction) * difference;
    }
    return 0;
  };
}
