import { setTimeout as wait } from 'node:timers/promises';
import { inBatches } from '../../concurrency.js';
import type { Engine } from '../../engine/engine.js';
import { cancellation, failureOf, repeatedLoss, unreadable } from '../../engine/failures.js';
import type { Delivery, DeliveryHandler, Outcome } from '../../engine/ports/worker-port.js';
import { CONTROL_QUEUE } from '../../engine/task-id.js';
import { EngineUnavailableError, TaskCancelledError, TaskQueueError } from '../../errors.js';
import { TaskLists } from '../task-lists.js';
import { filtersOf, readBulkAct, type BulkAct } from './bulk-act.js';
import { ActOnTask } from './act-on-task.js';
import { BulkEstimate } from './bulk-estimate.js';
import { BulkTally } from './bulk-tally.js';

/** Tasks of one page. */
const PAGE = 200;
/** Tasks on which an act is performed at the same time. */
const AT_ONCE = 25;
/** The pause before a bulk act goes on while the engine cannot be reached. */
const GO_ON_AFTER = 1_000;
/** How often a process may die that performs a bulk act. It runs no code of the application, so it hardly is the reason. */
const DEATHS = 100;

export interface BulkRunnerDeps {
  readonly engine: Pick<
    Engine,
    'lists' | 'workers' | 'now' | 'missingShards' | 'find' | 'cancel' | 'retry' | 'forget' | 'discard'
  >;
  /** Runs the tasks of all other queues. */
  readonly next: DeliveryHandler;
}

/**
 * Performs the acts on many tasks. Each act is a task of its own, so it has progress, can be cancelled between two steps, and goes on
 * in another process when its own dies.
 *
 * An act is about the tasks that matched when it was stored: a task that came later, or that ended again since, is left alone. So a
 * task that fails again is not retried for ever, and an act that begins anew does nothing twice.
 */
export class BulkRunner implements DeliveryHandler {
  constructor(private readonly deps: BulkRunnerDeps) {}

  /** Every task passes here, so nothing is added to those of other queues. */
  handle(delivery: Delivery): Promise<Outcome> {
    return delivery.queue === CONTROL_QUEUE ? this.perform(delivery) : this.deps.next.handle(delivery);
  }

  private async perform(delivery: Delivery): Promise<Outcome> {
    if (delivery.abandoned > DEATHS) return { kind: 'failed', failure: repeatedLoss() };
    const act = readBulkAct(delivery.args);
    if (!act) return { kind: 'failed', failure: unreadable('args is no act on many tasks') };
    delivery.started();
    const { engine } = this.deps;
    try {
      const tally = new BulkTally(delivery, (await engine.find(delivery.id))?.progress ?? null);
      await this.run(act, delivery, tally);
      return endOf(delivery) ?? { kind: 'succeeded', result: tally.result() };
    } catch (error) {
      if (error instanceof EngineUnavailableError) return endOf(delivery) ?? { kind: 'postponed', delay: GO_ON_AFTER };
      if (error instanceof TaskQueueError) return { kind: 'failed', failure: failureOf(error) };
      throw error;
    }
  }

  private async run(act: BulkAct, delivery: Delivery, tally: BulkTally): Promise<void> {
    const { engine } = this.deps;
    const { interruption, enqueuedAt } = delivery;
    const perform = new ActOnTask(engine, act, enqueuedAt);
    const lists = new TaskLists(engine);
    const pace = new Pace(act.rate, interruption.signal);
    const filters = filtersOf(act);
    const sizes = await engine.lists.figures(await lists.queuesOf(act.filter.queue));
    const estimate = new BulkEstimate(
      filters,
      sizes.flatMap((figures) => figures?.sizes ?? []),
    );
    tally.begin(estimate);
    for (const [index, filter] of filters.entries()) {
      let cursor: string | null = null;
      do {
        const page = await lists.page(filter, { limit: PAGE, cursor });
        const concerned = page.items.map(({ record }) => record).filter((record) => perform.concerns(record));
        estimate.add(index, page.read, concerned.length);
        let begun = 0;
        for (let start = 0; start < concerned.length && !interruption.isRequested; start += pace.size) {
          const some = concerned.slice(start, start + pace.size);
          begun += some.length;
          await inBatches(some, AT_ONCE, async (record) => tally.add(record.id, await perform.on(record)));
          await tally.report(concerned.length - begun);
          await pace.after(some.length);
        }
        cursor = page.cursor;
      } while (cursor !== null && !interruption.isRequested);
      if (interruption.isRequested) break;
      estimate.end(index);
    }
    await tally.reportEnd(!interruption.isRequested);
  }
}

/** How a bulk act ends that was interrupted; `undefined` for one that was not. */
function endOf({ interruption: { isRequested, reason } }: Delivery): Outcome | undefined {
  if (!isRequested) return undefined;
  if (reason instanceof TaskCancelledError) return { kind: 'failed', failure: cancellation(reason.message) };
  // This process closes: another one goes on.
  return { kind: 'postponed', delay: 0 };
}

/** Keeps an act from performing more than `rate` steps in a second. */
class Pace {
  /** Steps between two pauses. */
  readonly size: number;
  private next = performance.now();

  constructor(
    private readonly rate: number | undefined,
    private readonly signal: AbortSignal,
  ) {
    this.size = rate === undefined ? PAGE : Math.min(Math.max(Math.floor(rate / 10), 1), AT_ONCE);
  }

  async after(steps: number): Promise<void> {
    if (this.rate === undefined) return;
    this.next = Math.max(this.next, performance.now() - 1_000) + (steps / this.rate) * 1_000;
    const pause = this.next - performance.now();
    // An interruption ends the pause. The caller checks for it.
    if (pause > 0) await wait(pause, undefined, { signal: this.signal }).catch(() => undefined);
  }
}
