import type { Engine } from '../engine/engine.js';
import { memberIds } from '../engine/task-id.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import { SelfWaitError } from '../errors.js';
import type { RunWait } from '../results/run-waits.js';
import type { TaskRegistry } from '../tasks/task-registry.js';
import type { RunWaitsOfProcess } from '../workers/run-waits-of-process.js';
import { WaitsForPlaces, type WaitingRun } from '../workers/waits-for-places.js';

/** The most tasks of a workflow that are looked at. */
const MOST_LOOKS = 50;

export interface ChildWaitsDeps {
  readonly engine: Pick<Engine, 'find'>;
  readonly registry: Pick<TaskRegistry, 'get'>;
  readonly runWaits: Pick<RunWaitsOfProcess, 'beginFor' | 'isConsumedElsewhere'>;
  /** How many child processes run tasks at the same time. */
  readonly processes: number;
}

/** A wait that has begun. */
export interface ChildWait {
  /** Rejects with a SelfWaitError when the wait can never end since another one has begun. Resolves when the wait ends. */
  readonly failure: Promise<void>;
  end(): void;
}

/**
 * The waits of isolated tasks for other tasks. Such a task keeps its child process while it waits, and an awaited task that is isolated
 * too needs another one. When every child is kept in that way, a caller gets an error instead of waiting for ever.
 */
export class ChildWaits {
  /** The waits for isolated tasks. */
  private readonly forChildren: WaitsForPlaces;

  constructor(private readonly deps: ChildWaitsDeps) {
    const { processes, runWaits } = deps;
    this.forChildren = new WaitsForPlaces({
      places: processes,
      needsPlace: async ({ id }) => ((await this.isolatedIn(id))?.state ?? 'running') !== 'running',
      isConsumedElsewhere: (queue) => runWaits.isConsumedElsewhere(queue),
      error: ({ id, run }) =>
        new SelfWaitError(id, run, processes, {
          what: 'child processes for isolated tasks',
          cure: 'raise isolation.processes',
        }),
    });
  }

  /**
   * Called before a run in a child process waits for a task.
   *
   * @throws SelfWaitError when the awaited task can never start
   */
  async begin(run: WaitingRun, id: string): Promise<ChildWait> {
    const inQueue = this.deps.runWaits.beginFor(run, id);
    const waits = inQueue ? [inQueue] : [];
    const endAll = () => waits.forEach((wait) => wait.end());
    try {
      await inQueue?.checked;
      const isolated = await this.isolatedIn(id);
      if (isolated) {
        const forChild = this.forChildren.begin({ run, id, queue: isolated.queue });
        waits.push(forChild);
        await forChild.checked;
      }
    } catch (error) {
      endAll();
      throw error;
    }
    return new BegunWait(waits);
  }

  /** An isolated task that the awaited one is or needs, and that has not ended: one that has not started before one that runs. */
  private async isolatedIn(id: string): Promise<TaskRecord | undefined> {
    const ids = [id];
    let running: TaskRecord | undefined;
    // The list grows while it is walked through.
    for (const [place, each] of ids.entries()) {
      if (place === MOST_LOOKS) break;
      const record = await this.deps.engine.find(each);
      if (!record || isFinal(record.state)) continue;
      if (this.isIsolated(record.name)) {
        if (record.state !== 'running') return record;
        running ??= record;
      }
      ids.push(...memberIds(each, record.members).slice(0, MOST_LOOKS));
    }
    return running;
  }

  private isIsolated(task: string): boolean {
    return this.deps.registry.get(task)?.definition.isolate !== undefined;
  }
}

class BegunWait implements ChildWait {
  readonly failure: Promise<void>;
  private resolve: () => void = () => undefined;

  constructor(private readonly waits: readonly RunWait[]) {
    this.failure = new Promise((resolve, reject) => {
      this.resolve = resolve;
      for (const { signal } of waits) {
        if (signal.aborted) reject(signal.reason as Error);
        else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }
    });
    // The child may end without asking for it.
    this.failure.catch(() => undefined);
  }

  end(): void {
    for (const wait of this.waits) wait.end();
    this.resolve();
  }
}
