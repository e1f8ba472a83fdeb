import type { Engine } from '../engine/engine.js';
import { memberIds } from '../engine/task-id.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import { SelfWaitError } from '../errors.js';
import type { TaskRegistry } from '../tasks/task-registry.js';
import type { RunWaitsOfProcess, WaitingRun } from '../workers/run-waits-of-process.js';

/** The most tasks of a workflow that are looked at. */
const MOST_LOOKS = 50;

export interface ChildWaitsDeps {
  readonly engine: Pick<Engine, 'find'>;
  readonly registry: Pick<TaskRegistry, 'get'>;
  readonly runWaits: Pick<RunWaitsOfProcess, 'beginFor' | 'isConsumedElsewhere'>;
  /** How many child processes run tasks at the same time. */
  readonly processes: number;
}

/**
 * The waits of isolated tasks for other tasks. Such a task keeps its child process while it waits, and an awaited task that is isolated
 * too needs another one. When every child is kept in that way, the last caller gets an error instead of waiting for ever.
 */
export class ChildWaits {
  /** The runs that wait for isolated tasks, with the number of their waits. */
  private readonly waiting = new Map<string, number>();

  constructor(private readonly deps: ChildWaitsDeps) {}

  /**
   * Called before a run in a child process waits for a task.
   *
   * @returns ends the wait
   * @throws SelfWaitError when the awaited task can never start
   */
  async begin(run: WaitingRun, id: string): Promise<() => void> {
    const inQueue = this.deps.runWaits.beginFor(run, id);
    const ends = [() => inQueue?.end()];
    const end = () => ends.splice(0).forEach((one) => one());
    try {
      await inQueue?.checked;
      const isolated = await this.isolatedIn(id);
      if (!isolated) return end;
      this.waiting.set(run.id, (this.waiting.get(run.id) ?? 0) + 1);
      ends.push(() => this.endOne(run.id));
      if (isolated.state !== 'running') await this.check(run, id, isolated.queue);
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }

  private async check(run: WaitingRun, id: string, queue: string): Promise<void> {
    const { processes, runWaits } = this.deps;
    if (this.waiting.size < processes || (await runWaits.isConsumedElsewhere(queue))) return;
    throw new SelfWaitError(id, run, processes, {
      what: 'child processes for isolated tasks',
      cure: 'raise isolation.processes',
    });
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

  private endOne(run: string): void {
    const count = (this.waiting.get(run) ?? 1) - 1;
    if (count > 0) this.waiting.set(run, count);
    else this.waiting.delete(run);
  }

  private isIsolated(task: string): boolean {
    return this.deps.registry.get(task)?.definition.isolate !== undefined;
  }
}
