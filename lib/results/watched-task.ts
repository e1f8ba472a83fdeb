import { TaskNotFoundError } from '../errors.js';
import type { Engine, Interest, TaskRecord } from '../engine/engine.js';
import type { Json } from '../engine/json.js';
import { workflowProgress } from './workflow-progress.js';

/** What somebody who waits hears: each changed record, or why there will be none. */
export interface Observer {
  /** Whether every change is of interest, and how far a workflow is; otherwise only the end. */
  readonly wantsChanges: boolean;
  next(record: TaskRecord): void;
  fail(error: unknown): void;
}

/** How far a workflow is takes a look at each of its steps: it is counted no more often than this, in milliseconds. */
const COUNT_INTERVAL = 100;

/** One task that somebody waits for. */
export class WatchedTask {
  private readonly observers = new Set<Observer>();
  private unwatch: () => void;
  private endOnly = true;
  private latest: TaskRecord | undefined;
  private fingerprint = '';
  private asking = false;
  private askAgain = false;
  private progress: Json | null = null;
  private countedAt = -Infinity;
  private counting: NodeJS.Timeout | undefined;
  private countAgain = false;

  /** @param isNew see {@link Interest.isNew} */
  constructor(
    private readonly engine: Engine,
    private readonly id: string,
    isNew: boolean,
  ) {
    this.unwatch = this.watch({ endOnly: true, isNew });
  }

  add(observer: Observer): void {
    this.observers.add(observer);
    if (observer.wantsChanges && this.endOnly) {
      this.endOnly = false;
      this.unwatch();
      this.unwatch = this.watch({ endOnly: false, isNew: false });
    }
    const known = this.latest;
    if (!known) return;
    queueMicrotask(() => {
      // Who heard of a change meanwhile knows better.
      if (this.latest === known && this.observers.has(observer)) tell(observer, known);
    });
    this.countLater(known);
  }

  /** True when that was the last one, and the engine is no longer watched. */
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

  private watch(interest: Interest): () => void {
    return this.engine.watch(this.id, (record) => (record ? this.show(record) : this.changed()), interest);
  }

  /** Asks once however many changes arrive meanwhile, and once more after that, so that the last one is not missed. */
  private changed(): void {
    if (this.asking) {
      this.askAgain = true;
      return;
    }
    this.asking = true;
    void this.look().finally(() => {
      this.asking = false;
      if (!this.askAgain) return;
      this.askAgain = false;
      this.changed();
    });
  }

  /** Asks now, whatever else is under way. Never rejects. */
  async look(): Promise<void> {
    let record: TaskRecord | undefined;
    try {
      record = await this.engine.find(this.id);
    } catch {
      // The engine cannot be reached: its next poll asks again, and who waits has a time limit of its own.
      return;
    }
    if (!record) return this.fail(new TaskNotFoundError(this.id));
    this.show(record);
    this.countLater(record);
  }

  private show(found: TaskRecord): void {
    // It stays so. A look that began before it was told comes too late.
    if (this.latest?.state === 'succeeded') return;
    const record = isUncounted(found) ? { ...found, progress: this.progress } : found;
    const fingerprint = JSON.stringify(record);
    if (fingerprint === this.fingerprint) return;
    this.fingerprint = fingerprint;
    this.latest = record;
    for (const observer of this.observers) tell(observer, record);
  }

  /** Besides everything else: nobody who waits for the end is to wait for this. */
  private countLater(record: TaskRecord): void {
    if (record.state !== 'waiting' || ![...this.observers].some(({ wantsChanges }) => wantsChanges)) return;
    if (this.counting) {
      this.countAgain = true;
      return;
    }
    const wait = Math.max(this.countedAt + COUNT_INTERVAL - Date.now(), 0);
    this.counting = setTimeout(() => {
      this.countedAt = Date.now();
      this.countAgain = false;
      void this.count(record).finally(() => {
        this.counting = undefined;
        if (this.countAgain && this.latest) this.countLater(this.latest);
      });
    }, wait).unref();
  }

  private async count(record: TaskRecord): Promise<void> {
    try {
      this.progress = await workflowProgress(record, this.engine);
    } catch {
      return; // As in look().
    }
    // It may have ended meanwhile.
    if (this.latest?.state === 'waiting') this.show({ ...this.latest, progress: null });
  }
}

/** Whoever wants to know how far it is hears of a workflow once that was counted. */
function tell(observer: Observer, record: TaskRecord): void {
  if (!(observer.wantsChanges && isUncounted(record))) observer.next(record);
}

/** A workflow that waits, and says nothing of itself. */
function isUncounted({ state, progress }: TaskRecord): boolean {
  return state === 'waiting' && progress === null;
}
