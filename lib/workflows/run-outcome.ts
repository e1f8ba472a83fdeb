import type { Outcome } from '../engine/ports/worker-port.js';
import type { Plan } from './plan.js';

/** How the method of a task ended: with an outcome, or by becoming another task or workflow. */
export type RunOutcome = Outcome | { readonly kind: 'replaced'; readonly plan: Plan };
