import { setTimeout as sleep } from 'node:timers/promises';
import { EngineUnavailableError } from '../errors.js';
import { answerId, readAnswer, refusedRecord } from '../engine/call-answer.js';
import type { Engine } from '../engine/engine.js';
import type { ChangeListener, WatchOptions } from '../engine/ports/query-port.js';
import { ONE_SHARD, type Topology } from '../engine/shards/topology.js';
import type { TaskRecord } from '../engine/task.js';

/** What handles ask of an engine. */
export type TaskEngine = Pick<Engine, 'find' | 'watch' | 'countEndedMembers' | 'cancel' | 'retry' | 'forget'>;

/** Calls that are committed, and that the engine does not know yet. */
export type WaitingCalls = Pick<TaskEngine, 'find'>;

/** Milliseconds between two look-ups of a call that waits in an outbox. No message tells its watchers that a relay has moved it. */
const LOOK_AGAIN_AFTER = 100;
/** Milliseconds for which a cancel waits until a relay has moved the call. */
const CANCEL_WITHIN = 2_000;

/** One watch of a call, and of the task that stands for it once that is known. */
interface Watch {
  readonly listener: ChangeListener;
  readonly options: WatchOptions;
  readonly ends: (() => void)[];
  isFollowing: boolean;
  /** Set while the call waits in an outbox. */
  again?: NodeJS.Timeout;
}

/**
 * Leads from the id of a call to the task that stands for it. A call that was stored in an outbox has its id before the engine
 * decides whether an earlier task has the same key; see call-answer.ts. Until then, its status is read from the outbox. Only an id
 * that the engine does not know costs more than one look-up.
 */
export class AnsweredTasks implements TaskEngine {
  private readonly watches = new Map<string, Set<Watch>>();

  constructor(
    private readonly engine: TaskEngine,
    private readonly topology: Topology = ONE_SHARD,
    private readonly waitingCalls?: WaitingCalls,
  ) {}

  async find(id: string): Promise<TaskRecord | undefined> {
    const known = await this.findStored(id);
    if (known || !this.waitingCalls) return known;
    const waiting = await this.waitingCalls.find(id);
    if (waiting) this.lookAgain(id);
    // The call may have been moved between the two look-ups.
    return waiting ?? (await this.findStored(id));
  }

  watch(id: string, listener: ChangeListener, options: WatchOptions): () => void {
    const watch: Watch = { listener, options, ends: [this.engine.watch(id, listener, options)], isFollowing: false };
    const ofId = this.watches.get(id) ?? new Set();
    this.watches.set(id, ofId.add(watch));
    return () => {
      ofId.delete(watch);
      if (ofId.size === 0 && this.watches.get(id) === ofId) this.watches.delete(id);
      clearTimeout(watch.again);
      for (const end of watch.ends) end();
    };
  }

  countEndedMembers(record: TaskRecord): Promise<number> {
    return this.engine.countEndedMembers(record);
  }

  /**
   * Cancels the task. A call that waits in an outbox is cancelled as soon as a relay has moved it.
   *
   * @throws EngineUnavailableError when no relay moves it soon
   */
  async cancel(id: string, reason?: string): Promise<TaskRecord | undefined> {
    const deadline = performance.now() + CANCEL_WITHIN;
    for (;;) {
      const cancelled = await this.cancelStored(id, reason);
      if (cancelled || !this.waitingCalls) return cancelled;
      // The call may have been moved between the two look-ups.
      if (!(await this.waitingCalls.find(id))) return this.cancelStored(id, reason);
      if (performance.now() > deadline) {
        throw new EngineUnavailableError(
          `cancel: the call ${id} still waits in the outbox, because no relay has moved it. Cancel it again later.`,
        );
      }
      await sleep(LOOK_AGAIN_AFTER);
    }
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    return (await this.engine.retry(id)) ?? (await this.answered(id, (task) => this.engine.retry(task)));
  }

  /** Forgets the task itself. One that stands for the call belongs to others too, so it is left alone. */
  async forget(id: string): Promise<boolean> {
    return (await this.engine.forget(id)) || this.engine.forget(answerId(id, this.topology));
  }

  private async cancelStored(id: string, reason: string | undefined): Promise<TaskRecord | undefined> {
    return (
      (await this.engine.cancel(id, reason)) ?? (await this.answered(id, (task) => this.engine.cancel(task, reason)))
    );
  }

  private async findStored(id: string): Promise<TaskRecord | undefined> {
    return (await this.engine.find(id)) ?? (await this.answered(id, (task) => this.engine.find(task)));
  }

  private lookAgain(id: string): void {
    for (const watch of this.watches.get(id) ?? []) {
      clearTimeout(watch.again);
      watch.again = setTimeout(() => watch.listener(), LOOK_AGAIN_AFTER).unref();
    }
  }

  private async answered(
    id: string,
    ask: (task: string) => Promise<TaskRecord | undefined>,
  ): Promise<TaskRecord | undefined> {
    const answer = readAnswer(await this.engine.find(answerId(id, this.topology)));
    if (!answer) return undefined;
    if (answer.task === undefined) return refusedRecord(id, answer);
    this.follow(id, answer.task);
    return ask(answer.task);
  }

  /** The listeners of a call hear of the changes of the task that stands for it. */
  private follow(id: string, task: string): void {
    for (const watch of this.watches.get(id) ?? []) {
      if (watch.isFollowing) continue;
      watch.isFollowing = true;
      watch.ends.push(this.engine.watch(task, watch.listener, watch.options));
    }
  }
}
