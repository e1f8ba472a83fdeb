import type { EventPort, TaskChange } from '../engine/ports/event-port.js';
import { isInternalQueue } from '../engine/task-id.js';
import type { BoundedNames } from './bounded-names.js';
import type { KeysOf, Labels } from './metric-list.js';

/** Where counts and durations go: the metrics of Prometheus, or the instruments of OpenTelemetry. */
export interface Recording {
  count(key: KeysOf<'counter'>, labels: Labels): void;
  /** @param seconds not negative */
  observe(key: KeysOf<'histogram'>, labels: Labels, seconds: number): void;
}

export interface TaskRecorderDeps {
  readonly engine: EventPort;
  readonly recording: Recording;
  readonly queues: BoundedNames;
  readonly tasks: BoundedNames;
}

const TYPES = ['enqueued', 'started', 'retrying', 'succeeded', 'failed', 'cancelled', 'expired', 'lost'] as const;

/**
 * Records what this process has stored: each change once, in the process that stored it. So the sums over all processes are right.
 *
 * @returns ends it
 */
export function recordTasks({ engine, recording, queues, tasks }: TaskRecorderDeps): () => void {
  return engine.onTaskChange(TYPES, (change) => {
    const { name, queue } = change.record;
    if (!isInternalQueue(queue)) record(change, { queue: queues.of(queue), task: tasks.of(name) }, recording);
  });
}

function record({ type, record: task, dueAt, at }: TaskChange, labels: Labels, recording: Recording): void {
  if (type === 'enqueued') return recording.count('sent', labels);
  if (type === 'started') {
    recording.count('consumed', labels);
    // A later attempt and a task with members have waited for something else too.
    const isFirst = task.attempt <= 1 && !task.members && !task.reruns;
    if (isFirst && task.startedAt !== null) recording.observe('waitDuration', labels, seconds(task.startedAt - dueAt));
    return;
  }
  recording.count('outcomes', { ...labels, outcome: type });
  const hasRun = type === 'succeeded' || type === 'failed' || type === 'retrying';
  if (hasRun && task.startedAt !== null) recording.observe('processDuration', labels, seconds(at - task.startedAt));
}

/** The clocks of two processes may differ a little. */
function seconds(milliseconds: number): number {
  return Math.max(milliseconds, 0) / 1_000;
}
