import type { Json } from '../../engine/json.js';
import type { Delivery } from '../../engine/ports/worker-port.js';

/** The most refusals that a result names. */
const REFUSALS_NAMED = 100;
/** Milliseconds between two reports of progress. */
const REPORT_EVERY = 500;

/** The result of `TaskAdmin.retryAll()` and its like. */
export interface BulkResult {
  /** On how many tasks the act was performed. */
  readonly done: number;
  /** The first 100 tasks on which it was not performed, each with the reason. */
  readonly refused: readonly { readonly id: string; readonly reason: string }[];
  /** How many such tasks there are in all. */
  readonly refusedCount: number;
}

/** What the act did to one task: `skipped` when the task is not concerned any more. */
export type StepResult = 'done' | 'skipped' | { readonly refused: string };

/** Counts what a bulk act has done, and reports it as its progress. */
export class BulkTally {
  private done: number;
  private readonly refused = new Map<string, string>();
  private readonly others = new Set<string>();
  private reportedAt = -Infinity;

  /** @param before the progress of an earlier run of the act, whose process died or closed */
  constructor(
    private readonly delivery: Pick<Delivery, 'progress'>,
    before: Json | null,
  ) {
    const { done } = (before ?? {}) as { done?: unknown };
    this.done = typeof done === 'number' ? done : 0;
  }

  add(id: string, result: StepResult): void {
    if (result === 'done') this.done++;
    else if (result === 'skipped' || this.refused.has(id)) return;
    else if (this.refused.size < REFUSALS_NAMED) this.refused.set(id, result.refused);
    else this.others.add(id);
  }

  async report(now = false): Promise<void> {
    if (!now && performance.now() - this.reportedAt < REPORT_EVERY) return;
    this.reportedAt = performance.now();
    const refused = this.refused.size + this.others.size;
    await this.delivery.progress({ current: this.done + refused, done: this.done, refused });
  }

  result(): Json {
    const refused = Array.from(this.refused, ([id, reason]) => ({ id, reason }));
    const result: BulkResult = { done: this.done, refused, refusedCount: refused.length + this.others.size };
    return result as unknown as Json;
  }
}
