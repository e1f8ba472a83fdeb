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

/**
 * Runs the method for each item of a map, one after the other. An item that ends the run in another way than the items
 * around it (it becomes another task, asks to run later, or has another attempt) goes on as a task of its own, so that it
 * neither holds up the others nor makes them run again.
 *
 * @param known what is known of the items from an earlier run
 * @returns the failure of the first item that failed, or how all items ended
 */
export async function runItems(
  delivery: Delivery,
  known: readonly (ItemState | null)[],
  executor: DeliveryHandler<RunOutcome>,
): Promise<ItemsOutcome | Extract<Outcome, { kind: 'failed' }>> {
  const items: (ItemState | null)[] = [];
  const plans: Plan[] = [];
  const addPlan = (plan: Plan): ItemState => ({ member: delivery.memberCount + plans.push(plan) - 1 });
  for (const [index, args] of (delivery.args as readonly (readonly Json[])[]).entries()) {
    const state = known[index];
    if (state) {
      items.push(state);
      continue;
    }
    const outcome = await executor.handle({ ...delivery, args });
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'succeeded') items.push({ value: outcome.result ?? null });
    else if (outcome.kind === 'replaced') items.push(addPlan(outcome.plan));
    else if (outcome.kind === 'retry') items.push(addPlan(itemPlan(delivery, args, outcome.delay, delivery.attempt)));
    else if (outcome.kind === 'postponed' && outcome.asked)
      items.push(addPlan(itemPlan(delivery, args, outcome.delay, delivery.attempt - 1)));
    // Nothing is stored yet of the items that would be tasks of their own, so they run again too.
    else return { kind: 'interrupted', items: items.map((item) => (item && 'value' in item ? item : null)), outcome };
  }
  return { kind: 'all', items: items as ItemState[], plans };
}

/** One item as a task of its own. @param tried attempts that the item has used up */
function itemPlan({ name, queue, options }: Delivery, args: readonly Json[], delay: number, tried: number): TaskPlan {
  const { startAt: _start, expiresAt: _expires, ...rest } = options;
  return { task: name, queue, args, immutable: true, options: rest, delay, ...(tried > 0 && { tried }) };
}
