import type { Engine } from '../engine/engine.js';
import type { ListEntry } from '../engine/ports/list-port.js';
import type { WorkerRecord } from '../engine/ports/worker-registry.js';
import type { TaskRecord } from '../engine/task.js';
import { isQueueName, isWorkflowQueue } from '../engine/task-id.js';
import { isDutyTask } from '../engine/workflow-note.js';
import { fromCursor, toCursor, type Bookmark } from './list-cursor.js';
import { checkFilter, wrong, type CheckedFilter, type TaskFilter } from './task-filter.js';
import type { TaskOrder } from './lists-of-state.js';

/** The most tasks on a page. */
const MOST_ITEMS = 1_000;
/** The most stored tasks that one page reads. */
const WINDOW = 1_000;
/** The most stored tasks of one round trip, over all queues. A task may have arguments of many kilobytes. */
const READ_AT_ONCE = 200;
const READ_OF_QUEUE_AT_LEAST = 10;

export interface PageOptions {
  /** The most tasks of the page, 1 to 1,000; default 50. */
  readonly limit?: number | undefined;
  /** The cursor of the page before. */
  readonly cursor?: string | null | undefined;
}

/** A task of a page. */
export interface ListedTask extends Pick<ListEntry, 'args'> {
  readonly record: TaskRecord;
}

/** A page of records. See `TaskPage`. */
export interface RecordPage {
  readonly items: readonly ListedTask[];
  readonly cursor: string | null;
  readonly complete: boolean;
  readonly order: TaskOrder;
  readonly missingShards?: readonly string[];
  /** How many stored tasks were read for the page. */
  readonly read: number;
}

/** Reads the tasks that match a filter, page by page. */
export class TaskLists {
  constructor(private readonly engine: Pick<Engine, 'lists' | 'workers' | 'now' | 'missingShards'>) {}

  /**
   * A page reads at most {@link WINDOW} stored tasks, whatever it finds among them.
   *
   * @throws InvalidArgumentsError
   * @throws EngineUnavailableError
   */
  async page(filter: TaskFilter, { limit = 50, cursor }: PageOptions = {}): Promise<RecordPage> {
    const checked = checkFilter(filter);
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_ITEMS)
      throw wrong('limit', limit, `Give a whole number from 1 to ${MOST_ITEMS}.`);
    const scan = new Scan(this.engine, checked, await this.queuesOf(checked.queue, checked.root), limit);
    const next = await scan.run(fromCursor(cursor, checked));
    const missingShards = this.engine.missingShards();
    return {
      items: scan.items,
      cursor: next ? toCursor(next, checked) : null,
      complete: next === undefined || scan.items.length === limit,
      order: checked.order,
      ...(checked.queue === undefined && missingShards.length > 0 && { missingShards }),
      read: scan.read,
    };
  }

  /** The names of the queues that people see, in order: those that were ever used, and those that a worker takes from. */
  async queueNames(known?: readonly WorkerRecord[]): Promise<string[]> {
    return sorted((await this.allNames(known)).filter(isQueueName));
  }

  /**
   * The queue of a filter, or all.
   *
   * @param root whether the whole of a group is wanted, which is a task in a queue of the package
   */
  async queuesOf(queue: string | undefined, root = false): Promise<string[]> {
    if (queue !== undefined) return [queue];
    return sorted((await this.allNames()).filter((name) => isQueueName(name) || (root && isWorkflowQueue(name))));
  }

  private async allNames(known?: readonly WorkerRecord[]): Promise<string[]> {
    const [used, workers] = await Promise.all([this.engine.lists.queueNames(), known ?? this.engine.workers.list()]);
    return [...new Set([...used, ...workers.flatMap(({ queues }) => queues)])];
  }
}

/** Reads lists until a page is full, its window is read, or the lists end. */
class Scan {
  readonly items: ListedTask[] = [];
  read = 0;
  private readonly now: number;

  constructor(
    private readonly engine: Pick<Engine, 'lists' | 'now'>,
    private readonly filter: CheckedFilter,
    private readonly queues: readonly string[],
    private readonly limit: number,
  ) {
    this.now = engine.now();
  }

  /** @returns where the next page begins; `undefined` when there is none */
  async run(from: Bookmark | undefined): Promise<Bookmark | undefined> {
    const { lists } = this.filter;
    if (this.queues.length === 0) return undefined;
    for (let index = from ? lists.indexOf(from.list) : 0; index < lists.length; index++) {
      let at: Bookmark = { list: lists[index] as Bookmark['list'], position: undefined };
      if (at.list === from?.list) at = from;
      for (let isEnd = false; !isEnd;) {
        const isFull = this.items.length === this.limit;
        // The lists behind a full page may be empty.
        if (isFull && at.position === undefined && (await this.isEmpty(at))) break;
        if (isFull || this.read >= WINDOW) return at;
        const count = this.nextCount();
        const entries = await this.engine.lists.list({ ...at, queues: this.queues, after: at.position, count });
        const used = this.take(entries);
        isEnd = entries.length < count && used === entries.length;
        at = { ...at, position: entries[used - 1]?.position ?? at.position };
      }
    }
    return undefined;
  }

  private async isEmpty({ list }: Bookmark): Promise<boolean> {
    const first = await this.engine.lists.list({ list, queues: this.queues, after: undefined, count: 1 });
    return first.length === 0;
  }

  /** One more than the page needs tells whether the list goes on. */
  private nextCount(): number {
    const most = Math.max(Math.floor(READ_AT_ONCE / this.queues.length), READ_OF_QUEUE_AT_LEAST);
    const needed = this.filter.isSelective ? READ_AT_ONCE : this.limit - this.items.length + 1;
    return Math.min(most, needed, WINDOW - this.read);
  }

  /** @returns how many entries were used before the page was full */
  private take(entries: readonly ListEntry[]): number {
    for (const [index, { record, parent, args }] of entries.entries()) {
      if (this.items.length === this.limit) return index;
      this.read++;
      if (record && this.isShown(record) && this.filter.matches({ record, parent, args }, this.now))
        this.items.push({ record, args });
    }
    return entries.length;
  }

  private isShown({ name }: TaskRecord): boolean {
    return this.filter.queue !== undefined || !isDutyTask(name);
  }
}

function sorted(names: readonly string[]): string[] {
  return names.toSorted((one, other) => (one < other ? -1 : 1));
}
