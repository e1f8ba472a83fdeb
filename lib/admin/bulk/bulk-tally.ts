import type { Json } from '../../engine/json.js';
import type { Delivery } from '../../engine/ports/worker-port.js';
import type { BulkEstimate } from './bulk-estimate.js';

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
  private estimate: Pick<BulkEstimate, 'left'> = { left: 0 };

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

  /** @param estimate how many tasks follow behind the page that was read last */
  begin(estimate: Pick<BulkEstimate, 'left'>): void {
    this.estimate = estimate;
  }

  /** @param leftOnPage tasks of the page on which the act is about to be performed */
  async report(leftOnPage: number): Promise<void> {
    if (performance.now() - this.reportedAt < REPORT_EVERY) return;
    this.reportedAt = performance.now();
    await this.send(leftOnPage + this.estimate.left, true);
  }

  /** @param isWhole whether the act was performed on all tasks */
  async reportEnd(isWhole: boolean): Promise<void> {
    await this.send(isWhole ? 0 : this.estimate.left, !isWhole);
  }

  private async send(left: number, isEstimate: boolean): Promise<void> {
    const refused = this.refused.size + this.others.size;
    const current = this.done + refused;
    await this.delivery.progress({ current, total: current + left, isEstimate, done: this.done, refused });
  }

  result(): Json {
    const refused = Array.from(this.refused, ([id, reason]) => ({ id, reason }));
    const result: BulkResult = { done: this.done, refused, refusedCount: refused.length + this.others.size };
    return result as unknown as Json;
  }
}
