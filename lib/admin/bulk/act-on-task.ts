import type { Engine } from '../../engine/engine.js';
import { isFinal, type TaskRecord } from '../../engine/task.js';
import { EngineUnavailableError } from '../../errors.js';
import type { BulkAct } from './bulk-act.js';
import type { StepResult } from './bulk-tally.js';

/** Performs a bulk act on single tasks. */
export class ActOnTask {
  /** The workflows that were retried as a whole. */
  private readonly roots = new Set<string>();

  /** @param since the time at which the act was stored */
  constructor(
    private readonly engine: Pick<Engine, 'find' | 'cancel' | 'retry' | 'forget' | 'discard'>,
    private readonly act: BulkAct,
    private readonly since: number,
  ) {}

  /** Whether the task was in its state already when the act was stored. */
  concerns({ state, finishedAt, enqueuedAt }: TaskRecord): boolean {
    return (isFinal(state) ? (finishedAt ?? enqueuedAt) : enqueuedAt) <= this.since;
  }

  /** @throws EngineUnavailableError. Any other error is about this task alone */
  async on(record: TaskRecord): Promise<StepResult> {
    try {
      return await this.perform(record);
    } catch (error) {
      if (error instanceof EngineUnavailableError) throw error;
      return { refused: (error as Error).message };
    }
  }

  private async perform(record: TaskRecord): Promise<StepResult> {
    switch (this.act.act) {
      case 'retryAll':
        return this.retry(record);
      case 'cancelAll':
        return (await this.engine.cancel(record.id, this.act.reason ?? undefined)) ? 'done' : 'skipped';
      case 'forgetAll':
        return this.forget(record);
      case 'purge':
        return (await this.engine.discard(record.id)) ? 'done' : 'skipped';
    }
  }

  /** A member of a workflow cannot heal it alone, so the whole runs again: of its members, those that did not succeed. */
  private async retry(record: TaskRecord): Promise<StepResult> {
    const root = record.root ?? record.id;
    if (this.roots.has(root)) return 'skipped';
    this.roots.add(root);
    if (record.root !== undefined) {
      const whole = await this.engine.find(root);
      if (whole && !['failed', 'cancelled', 'expired'].includes(whole.state))
        return { refused: `Its workflow ${root} is ${whole.state}, and goes on without it or has ended.` };
      if (!whole) return { refused: `Its workflow ${root} is no longer stored.` };
    }
    return (await this.engine.retry(root)) ? 'done' : 'skipped';
  }

  private async forget({ id }: TaskRecord): Promise<StepResult> {
    if (await this.engine.forget(id)) return 'done';
    const now = await this.engine.find(id);
    if (!now || !isFinal(now.state)) return 'skipped';
    return {
      refused:
        now.root === undefined
          ? 'No worker has taken it out of its queue yet.'
          : `Its workflow ${now.root} goes on and needs its result, or no worker has taken it out of its queue yet.`,
    };
  }
}
