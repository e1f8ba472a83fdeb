import { TaskNotFoundError } from '../errors.js';
import type { Json } from '../engine/json.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import type { TaskEngine } from './answered-tasks.js';
import { isUncounted, workflowProgress } from './workflow-progress.js';

/** A watcher of one task. It gets each changed record, or the reason why no further record follows. */
export interface Observer {
  /** Whether the watcher wants every change and the progress of a workflow; otherwise only the end. */
  readonly wantsChanges: boolean;
  next(record: TaskRecord): void;
  fail(error: unknown): void;
}

/** The shortest time in milliseconds between two counts of a workflow's progress: each count reads all steps. */
const COUNT_INTERVAL = 100;

/** A task that this process watches for any number of observers. */
export class WatchedTask {
  private readonly observers = new Set<Observer>();
  private unwatch: () => void;
  private endOnly = true;
  private latest: TaskRecord | undefined;
  /** The latest record as the engine gave it. */
  private found: TaskRecord | undefined;
  private fingerprint = '';
  private isFetching = false;
  private begunFetches = 0;
  /** Which of the fetches gave the newest record so far. */
  private newestFetch = 0;
  private fetchAgain = false;
  private progress: Json | null = null;
  private countedAt = -Infinity;
  private counting: NodeJS.Timeout | undefined;
  private countAgain = false;

  constructor(
    private readonly engine: TaskEngine,
    private readonly id: string,
  ) {
    this.unwatch = this.watch();
  }

  /** Whether a record of the task has been fetched or received. */
  get isKnown(): boolean {
    return this.latest !== undefined;
  }

  add(observer: Observer): void {
    this.observers.add(observer);
    if (observer.wantsChanges && this.endOnly) {
      this.endOnly = false;
      this.unwatch();
      this.unwatch = this.watch();
    }
    const known = this.latest;
    if (!known) return;
    queueMicrotask(() => {
      // An observer that got a newer record meanwhile does not need this record.
      if (this.latest === known && this.observers.has(observer)) notify(observer, known);
    });
    if (isFinal(known.state) && isUncounted(known)) this.countEnd(known);
    else this.countLater(this.found ?? known);
  }

  /** @returns true when it was the last observer: the engine is no longer watched */
  remove(observer: Observer): boolean {
    this.observers.delete(observer);
    if (this.observers.size > 0) return false;
    clearTimeout(this.counting);
    this.unwatch();
    return true;
  }

  fail(error: unknown): void {
    for (const observer of this.observers) observer.fail(error);
  }

  /** Fetches the task now, whatever else is under way. Never rejects. */
  async fetch(): Promise<void> {
    let record: TaskRecord | undefined;
    const fetch = ++this.begunFetches;
    try {
      record = await this.engine.find(this.id);
    } catch {
      // The engine cannot be reached. Its next poll calls again, and the observers have time limits of their own.
      return;
    }
    // A fetch that began later may have ended earlier, with a newer record.
    if (fetch < this.newestFetch) return;
    this.newestFetch = fetch;
    if (!record) return this.fail(new TaskNotFoundError(this.id));
    this.publish(record);
    this.countLater(record);
  }

  private watch(): () => void {
    const onChange = (record?: TaskRecord) => (record ? this.publish(record) : this.fetchOnce());
    return this.engine.watch(this.id, onChange, { endOnly: this.endOnly });
  }

  /** Fetches once, however many changes arrive meanwhile, and then once more, so that the last change is not missed. */
  private fetchOnce(): void {
    if (this.isFetching) {
      this.fetchAgain = true;
      return;
    }
    this.isFetching = true;
    void this.fetch().finally(() => {
      this.isFetching = false;
      if (!this.fetchAgain) return;
      this.fetchAgain = false;
      this.fetchOnce();
    });
  }

  private publish(found: TaskRecord): void {
    // A task that succeeded stays in that state. A fetch that began before the end returns an outdated record.
    if (this.latest?.state === 'succeeded') return;
    this.found = found;
    // The counts of a workflow that goes on are repeated; those of one that has ended are made once more.
    const record = isUncounted(found) && !isFinal(found.state) ? { ...found, progress: this.progress } : found;
    if (record.state !== 'succeeded' && !this.hasChanged(record)) return;
    this.latest = record;
    for (const observer of this.observers) notify(observer, record);
    if (isFinal(record.state) && isUncounted(record)) this.countEnd(record);
  }

  private hasChanged(record: TaskRecord): boolean {
    const fingerprint = JSON.stringify(record);
    if (fingerprint === this.fingerprint) return false;
    this.fingerprint = fingerprint;
    return true;
  }

  /** Observers that want progress get the end of a workflow with its last count. */
  private countEnd(record: TaskRecord): void {
    if (!this.wantsCounts()) return;
    void workflowProgress(record, this.engine)
      .catch(() => this.progress)
      .then((progress) => {
        this.latest = { ...record, progress };
        for (const observer of this.observers) if (observer.wantsChanges) observer.next(this.latest);
      });
  }

  private wantsCounts(): boolean {
    return [...this.observers].some(({ wantsChanges }) => wantsChanges);
  }

  /** Counts the progress of a workflow in the background, so that no observer waits for the count. */
  private countLater(record: TaskRecord): void {
    if (!isUncounted(record) || isFinal(record.state) || !this.wantsCounts()) return;
    if (this.counting) {
      this.countAgain = true;
      return;
    }
    const wait = Math.max(this.countedAt + COUNT_INTERVAL - performance.now(), 0);
    this.counting = setTimeout(() => {
      this.countedAt = performance.now();
      this.countAgain = false;
      void this.count(record).finally(() => {
        this.counting = undefined;
        if (this.countAgain && this.found) this.countLater(this.found);
      });
    }, wait).unref();
  }

  private async count(record: TaskRecord): Promise<void> {
    try {
      this.progress = await workflowProgress(record, this.engine);
    } catch {
      return; // The engine cannot be reached, as in fetch().
    }
    // The workflow may have ended meanwhile.
    if (this.found && isUncounted(this.found) && !isFinal(this.found.state)) this.publish(this.found);
  }
}

/** An observer that wants progress gets the record of a workflow once its progress is counted. */
function notify(observer: Observer, record: TaskRecord): void {
  if (!(observer.wantsChanges && isUncounted(record))) observer.next(record);
}
