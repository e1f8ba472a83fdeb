import { checkPosition } from '../../list-position.js';
import {
  isOrderedByTime,
  type ListPosition,
  type ListRequest,
  type QueueFigures,
  type StoredList,
} from '../../ports/list-port.js';
import type { JobLists, ListedJob, ListedJobs } from '../driver.js';
import type { RedisClient } from './client-options.js';
import { queuedSince } from '../jobs/queued-since.js';
import { parse } from '../jobs/job-data.js';
import { isObject } from '../jobs/unreadable-job.js';
import { toFoundJob, type JobReply } from './job-hash.js';
import { eachInOnePacket } from './one-packet.js';
import { QueueNames } from './queue-names.js';
import { LIST_QUEUED_JOBS, LIST_SORTED_JOBS, QUEUE_FIGURES } from './list-jobs.js';

/** The last part of the key of each list, in the order of {@link QUEUE_FIGURES}. */
const KEYS: Readonly<Record<StoredList, string>> = {
  queued: 'wait',
  paused: 'paused',
  prioritized: 'prioritized',
  delayed: 'delayed',
  running: 'active',
  waiting: 'waiting-children',
  succeeded: 'completed',
  failed: 'failed',
};

/** The lists that are lists of Redis. The others are sorted sets. */
const UNSORTED: ReadonlySet<StoredList> = new Set<StoredList>(['queued', 'paused', 'running']);

/** The distances, from the last job of a page, of the jobs by which the position is found again. */
const ANCHORS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

export interface RedisListsDeps {
  readonly commands: RedisClient;
  readonly prefix: string;
}

/** Reads BullMQ's lists on Redis. A script reads the keys of one queue only. */
export class RedisLists implements JobLists {
  private readonly names: QueueNames;

  constructor(private readonly deps: RedisListsDeps) {
    this.names = new QueueNames(deps.commands, deps.prefix);
  }

  /** See {@link QueueNames.store}. */
  useQueue(name: string): void {
    this.names.store(name);
  }

  queueNames(): Promise<string[]> {
    return this.names.list();
  }

  async list(request: ListRequest): Promise<ListedJobs> {
    return { jobs: await this.read(request), isCut: false };
  }

  private async read({ list, queues, after, count }: ListRequest): Promise<ListedJob[]> {
    if (!isOrderedByTime(list)) {
      const [first] = after ?? [];
      const left = first === undefined ? queues : queues.filter((queue) => queue >= first);
      const lists = await eachInOnePacket(this.deps.commands, left, (queue) => {
        const position = queue === first ? after?.slice(1) : undefined;
        return UNSORTED.has(list)
          ? this.readList(queue, list, position, count)
          : this.readSorted(queue, list, position, count);
      });
      return lists.flatMap((jobs, index) => jobs.map((job) => inQueue(job, left[index] as string))).slice(0, count);
    }
    const lists = await eachInOnePacket(this.deps.commands, queues, (queue) =>
      this.readSorted(queue, list, after, count),
    );
    const direction = isDescending(list) ? -1 : 1;
    return lists
      .flat()
      .toSorted((one, other) => direction * compare(one.position, other.position))
      .slice(0, count);
  }

  async countQueued(queue: string, most: number): Promise<number> {
    const [figures] = await this.figures([queue]);
    return figures ? Math.min(figures.sizes.queued + figures.sizes.delayed, most) : 0;
  }

  figures(queues: readonly string[]): Promise<QueueFigures[]> {
    const { commands } = this.deps;
    return eachInOnePacket(commands, queues, async (queue) => {
      const prefix = `${this.deps.prefix}:${queue}:`;
      const keys = [...Object.values(KEYS), 'meta'].map((key) => prefix + key);
      const reply = (await commands.eval(QUEUE_FIGURES, keys.length, ...keys, prefix)) as FiguresReply;
      return toFigures(reply);
    });
  }

  private async readSorted(
    queue: string,
    list: StoredList,
    after: ListPosition | undefined,
    count: number,
  ): Promise<ListedJob[]> {
    const [score, id] = after ? checkPosition(after, [0], 2) : [];
    const order = isDescending(list) ? 'desc' : 'asc';
    const position = score === undefined ? [] : [score, id as string];
    const jobs = await this.eval<[id: string, score: string, job: JobReply][]>(LIST_SORTED_JOBS, queue, list, [
      ...[count, order],
      ...position,
    ]);
    const listed = jobs.map(([member, key, job]) => {
      return { queue, id: member, found: toFoundJob(job), position: [key, member], time: timeOf(list, Number(key)) };
    });
    return isDescending(list) ? listed.toReversed() : listed;
  }

  private async readList(
    queue: string,
    list: StoredList,
    after: ListPosition | undefined,
    count: number,
  ): Promise<ListedJob[]> {
    const [passed, ...known] = after ? checkPosition(after, [0], 2) : [];
    const position = passed === undefined ? [] : [passed, ...known];
    const [start, ...jobs] = await this.eval<[number | string, ...[id: string, job: JobReply][]]>(
      LIST_QUEUED_JOBS,
      queue,
      list,
      [count, ...position],
    );
    // A short page is found again by jobs of the page before it.
    const ids = [...jobs.map(([id]) => id).toReversed(), ...known];
    return jobs.map(([id, job], index) => {
      const anchors = ANCHORS.map((distance) => ids[jobs.length - 1 - index + distance]);
      const texts = anchors.filter((anchor) => anchor !== undefined);
      return { queue, id, found: toFoundJob(job), position: [String(Number(start) + index + 1), ...texts], time: 0 };
    });
  }

  private async eval<R>(
    script: string,
    queue: string,
    list: StoredList,
    args: readonly (string | number)[],
  ): Promise<R> {
    const prefix = `${this.deps.prefix}:${queue}:`;
    return (await this.deps.commands.eval(script, 1, prefix + KEYS[list], prefix, ...args)) as R;
  }
}

/** The answer of {@link QUEUE_FIGURES}. With some options of ioredis a number is a text. */
type FiguresReply = readonly [
  paused: string,
  sizes: readonly (number | string)[],
  jobs: readonly (readonly (string | null)[])[],
];

function toFigures([paused, sizes, jobs]: FiguresReply): QueueFigures {
  const [wait = 0, earlier = 0, prioritized = 0, delayed = 0, running = 0, waiting = 0, succeeded = 0, failed = 0] =
    sizes.map(Number);
  const since = queuedSince(
    jobs.map(([timestamp, text, processedOn]) => {
      const opts = parse(text ?? undefined);
      return { timestamp, delay: isObject(opts) ? opts['delay'] : undefined, processedOn };
    }),
  );
  return {
    isPaused: paused === '1',
    sizes: { queued: wait + earlier + prioritized, delayed, running, waiting, succeeded, failed },
    queuedSince: since,
  };
}

function isDescending(list: StoredList): boolean {
  return list === 'succeeded' || list === 'failed';
}

/** BullMQ multiplies the time of a delayed job, so that jobs of one millisecond keep their order. */
function timeOf(list: StoredList, score: number): number {
  if (!isOrderedByTime(list)) return 0;
  return list === 'delayed' ? Math.floor(score / 0x1000) : score;
}

function inQueue(job: ListedJob, queue: string): ListedJob {
  return { ...job, position: [queue, ...job.position] };
}

/** Compares positions in sorted sets. */
function compare([one = '', oneId = '']: ListPosition, [other = '', otherId = '']: ListPosition): number {
  return Number(one) - Number(other) || (oneId < otherId ? -1 : 1);
}
