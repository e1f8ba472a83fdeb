import { isSameApplication } from '../engine/declared-code.js';
import type { WorkerRecord } from '../engine/ports/worker-registry.js';

type Worker = Omit<WorkerRecord, 'seenAt'>;

/** The most tasks that a warning names. */
const NAMES = 3;

/**
 * A warning for each queue that workers of another application consume too. Each application then takes tasks of the other,
 * gives them back, and so delays them. Mostly both have the default prefix and queue, and neither knows of the other.
 */
export function sharedQueueWarnings(own: Worker, others: readonly Worker[]): string[] {
  return own.queues.flatMap((queue) => {
    const sharing = others.filter((other) => other.queues.includes(queue) && isOther(own, other));
    // Workers of one application differ in host and process only.
    const applications = new Map(sharing.map((other) => [JSON.stringify([other.application, other.tasks]), other]));
    return Array.from(
      applications.values(),
      (other) =>
        `Two applications with different tasks consume the queue "${queue}": ${describe(own, other)}, and ${describe(other, own)}. ` +
        'Each takes tasks of the other and gives them back, which delays them. ' +
        'Give each application its own option `prefix` (or TASK_QUEUE_PREFIX), or its tasks their own `queue`. ' +
        'If both are versions of one application, give both the same option `application`.',
    );
  });
}

/** Two applications that declare the same tasks can run each other's tasks. */
function isOther(own: Worker, other: Worker): boolean {
  return !isSameApplication(own, other) && (differ(own.tasks, other.tasks) || differ(other.tasks, own.tasks));
}

function differ(some: readonly string[], others: readonly string[]): boolean {
  const known = new Set(others);
  return some.some((name) => !known.has(name));
}

function describe({ application, host, pid, tasks }: Worker, { tasks: others }: Worker): string {
  const known = new Set(others);
  const own = tasks.filter((name) => !known.has(name));
  const names = own.length > NAMES ? [...own.slice(0, NAMES), `${own.length - NAMES} more`] : own;
  const name = application === undefined ? 'an application' : `"${application}"`;
  return `${name} on ${host} (process ${pid}, tasks ${names.join(', ') || 'none of its own'})`;
}
