import { Interruption } from '../../lib/engine/interruption.js';
import type { Delivery } from '../../lib/engine/ports/worker-port.js';

/** A delivery of a task without members, in its first attempt, with the fields that a test sets. */
export function deliveryOf(known: Partial<Delivery> = {}): Delivery {
  return {
    id: 'default.1',
    name: 'Reports.build',
    queue: 'default',
    args: [],
    headers: {},
    options: {},
    attempt: 1,
    starts: 1,
    returns: 0,
    abandoned: 0,
    reruns: 0,
    enqueuedAt: Date.UTC(2026, 0, 1),
    root: 'default.1',
    memberCount: 0,
    members: () => Promise.resolve([]),
    failedMember: () => Promise.resolve(undefined),
    started: () => undefined,
    mark: () => undefined,
    markBefore: () => undefined,
    interruption: new Interruption(),
    progress: () => Promise.resolve(),
    log: () => Promise.resolve(),
    ...known,
  };
}
