import type { TaskResults } from '../../results/task-results.js';
import { isFinal, type TaskRecord } from '../../engine/task.js';
import { toStatus } from '../../results/task-status.js';
import type { Reads } from '../api/reads.js';

/** Milliseconds between two reads of the store while a page is open. */
const READ_EVERY = 2_000;

/** What an open page gets. A later event of a topic replaces an earlier one that the page has not read yet. */
export interface LiveEvent {
  readonly topic: string;
  readonly name: 'overview' | 'task' | 'gone' | 'failed';
  /** JSON. */
  readonly data: string;
}

export type LiveListener = (event: LiveEvent) => void;

export interface LiveFeedDeps {
  readonly reads: Pick<Reads, 'overview' | 'row'>;
  readonly results: Pick<TaskResults, 'follow' | 'find'>;
}

interface Topic {
  readonly listeners: Set<LiveListener>;
  unfollow: () => void;
  last: LiveEvent | undefined;
  /** What is known of the end of the task; `undefined` while it is followed. */
  ended: string | undefined;
}

/**
 * Tells all open pages of this process what changed. However many pages are open, one reader reads the overview every two seconds,
 * and tasks are followed as handles follow them: once each, by the messages of workers.
 */
export class LiveFeed {
  private readonly listeners = new Set<LiveListener>();
  private readonly topics = new Map<string, Topic>();
  private timer: NodeJS.Timeout | undefined;
  private overview: LiveEvent | undefined;
  private isReading = false;

  constructor(
    private readonly deps: LiveFeedDeps,
    private readonly readEvery = READ_EVERY,
  ) {}

  /**
   * Sends the overview, and the statuses of these tasks, now and at each change.
   *
   * @returns a function that ends it
   */
  subscribe(tasks: readonly string[], listener: LiveListener): () => void {
    this.listeners.add(listener);
    if (this.overview) listener(this.overview);
    this.start();
    const ids = [...new Set(tasks)];
    for (const id of ids) this.follow(id, listener);
    return () => {
      this.listeners.delete(listener);
      for (const id of ids) this.unfollow(id, listener);
      if (this.listeners.size === 0) this.stop();
    };
  }

  /** Reads the overview at once, because a page has just changed something. */
  refresh(): void {
    if (this.timer) void this.read();
  }

  private start(): void {
    if (this.timer) return;
    this.timer = setInterval(() => void this.read(), this.readEvery).unref();
    void this.read();
  }

  private stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.overview = undefined;
  }

  /** A read that takes longer than the interval is not overtaken by the next one. */
  private async read(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    let event: LiveEvent;
    try {
      const [overview] = await Promise.all([this.deps.reads.overview(), this.findReruns()]);
      event = { topic: 'overview', name: 'overview', data: JSON.stringify(overview) };
    } catch (error) {
      event = { topic: 'overview', name: 'failed', data: JSON.stringify({ message: (error as Error).message }) };
    } finally {
      this.isReading = false;
    }
    if (!this.timer) return;
    this.overview = event.name === 'overview' ? event : undefined;
    for (const listener of this.listeners) listener(event);
  }

  private follow(id: string, listener: LiveListener): void {
    const known = this.topics.get(id);
    if (known) {
      known.listeners.add(listener);
      if (known.last) listener(known.last);
      return;
    }
    const topic: Topic = {
      listeners: new Set([listener]),
      unfollow: () => undefined,
      last: undefined,
      ended: undefined,
    };
    this.topics.set(id, topic);
    this.watch(id, topic);
  }

  private watch(id: string, topic: Topic): void {
    const send = (event: Omit<LiveEvent, 'topic'>): void => {
      topic.last = { ...event, topic: id };
      for (const listener of topic.listeners) listener(topic.last);
    };
    topic.ended = undefined;
    topic.unfollow = this.deps.results.follow(id, {
      wantsChanges: true,
      next: (record) => {
        send({ name: 'task', data: JSON.stringify(this.deps.reads.row(toStatus(record))) });
        if (isFinal(record.state)) this.end(topic, versionOf(record));
      },
      fail: () => {
        send({ name: 'gone', data: JSON.stringify({ id }) });
        this.end(topic, '');
      },
    });
  }

  private end(topic: Topic, version: string): void {
    topic.unfollow();
    topic.ended = version;
  }

  /** Workers send no messages about a task that has ended, so another run of it is found by reading it. */
  private async findReruns(): Promise<void> {
    const ended = [...this.topics].filter(([, topic]) => topic.ended !== undefined);
    await Promise.all(
      ended.map(async ([id, topic]) => {
        const record = await this.deps.results.find(id);
        const isSame = (record ? versionOf(record) : '') === topic.ended;
        if (!isSame && this.topics.get(id) === topic) this.watch(id, topic);
      }),
    );
  }

  private unfollow(id: string, listener: LiveListener): void {
    const topic = this.topics.get(id);
    topic?.listeners.delete(listener);
    if (!topic || topic.listeners.size > 0) return;
    this.topics.delete(id);
    topic.unfollow();
  }
}

function versionOf({ state, finishedAt, reruns }: TaskRecord): string {
  return `${state} ${finishedAt ?? ''} ${reruns ?? 0}`;
}
