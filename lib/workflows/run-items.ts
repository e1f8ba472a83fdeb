import type { Json } from '../engine/json.js';
import type { Delivery, DeliveryHandler, Outcome } from '../engine/ports/worker-port.js';
import type { ItemState } from '../engine/workflow-note.js';
import type { Plan, TaskPlan } from './plan.js';
import type { RunOutcome } from './run-outcome.js';

/** How a run of all items ended that is not to be ended by one of them. */
export type ItemsOutcome =
  /** Each item has a result, or is a task of its own that `plans` add. */
  | { readonly kind: 'all'; readonly items: readonly ItemState[]; readonly plans: readonly Plan[] }
  /** The process had to stop in between: these items have a result, and the others run later. */
  | { readonly kind: 'interrupted'; readonly items: readonly (ItemState | null)[]; readonly outcome: Outcome };

export interface RunItemsOptions {
  /** What is known of the items from an earlier run. */
  readonly known: readonly (ItemState | null)[];
  /** How many items run at the same time: as many as one batch takes, and 1 for a method that takes one call. */
  readonly atOnce: number;
}

/**
 * Runs the method for each item of a map, one after the other, or batch after batch. An item that ends the run in another way than the
 * items around it (it becomes another task, asks to run later, or has another attempt) goes on as a task of its own, so that it
 * neither holds up the others nor makes them run again.
 *
 * @returns the failure of the first item that failed, or how all items ended
 */
export async function runItems(
  delivery: Delivery,
  executor: DeliveryHandler<RunOutcome>,
  { known, atOnce }: RunItemsOptions,
): Promise<ItemsOutcome | Extract<Outcome, { kind: 'failed' }>> {
  const lists = delivery.args as readonly (readonly Json[])[];
  const items: (ItemState | null)[] = [];
  const plans: Plan[] = [];
  const addPlan = (plan: Plan): ItemState => ({ member: delivery.memberCount + plans.push(plan) - 1 });
  for (let start = 0; start < lists.length; start += atOnce) {
    const some = lists.slice(start, start + atOnce);
    const outcomes = await Promise.all(
      some.map(async (args, place) => {
        const item = start + place;
        return known[item] ? undefined : executor.handle({ ...delivery, args, item });
      }),
    );
    const failed = outcomes.find((outcome) => outcome?.kind === 'failed');
    if (failed?.kind === 'failed') return failed;
    let interrupted: Outcome | undefined;
    for (const [place, outcome] of outcomes.entries()) {
      const args = some[place] as readonly Json[];
      if (!outcome) items.push(known[start + place] as ItemState);
      else if (outcome.kind === 'succeeded') items.push({ value: outcome.result ?? null });
      else if (outcome.kind === 'replaced') items.push(addPlan(outcome.plan));
      else if (outcome.kind === 'retry') items.push(addPlan(itemPlan(delivery, args, outcome.delay, delivery.attempt)));
      else if (outcome.kind === 'postponed' && outcome.asked)
        items.push(addPlan(itemPlan(delivery, args, outcome.delay, delivery.attempt - 1)));
      else {
        items.push(null);
        interrupted = outcome;
      }
    }
    // Nothing is stored yet of the items that would be tasks of their own, so they run again too.
    if (interrupted) {
      const ended = items.map((item) => (item && 'value' in item ? item : null));
      return { kind: 'interrupted', items: ended, outcome: interrupted };
    }
  }
  return { kind: 'all', items: items as ItemState[], plans };
}

/** One item as a task of its own. @param tried attempts that the item has used up */
function itemPlan({ name, queue, options }: Delivery, args: readonly Json[], delay: number, tried: number): TaskPlan {
  const { startAt: _start, expiresAt: _expires, ...rest } = options;
  return { task: name, queue, args, immutable: true, options: rest, delay, ...(tried > 0 && { tried }) };
}
