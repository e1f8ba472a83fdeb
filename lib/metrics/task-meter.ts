import type { Engine } from '../engine/engine.js';
import type { ScheduleLag } from '../schedules/schedule-lag.js';
import type { TaskRegistry } from '../tasks/task-registry.js';
import type { Outbox } from '../transactions/outbox/outbox.js';
import type { TaskWorkers } from '../workers/task-workers.js';
import { BoundedNames } from './bounded-names.js';
import type { Sample } from './metric-list.js';
import { SharedSnapshot } from './shared-snapshot.js';
import { readStoreFigures } from './store-figures.js';
import { TaskGauges } from './task-gauges.js';
import { recordTasks, type Recording } from './task-recorder.js';

/** Names of queues that are told apart; the others count as `other`. */
const MOST_QUEUES = 100;
/** Milliseconds that one reading of the gauges waits for the store. A scrape of Prometheus has ten seconds. */
const READ_LIMIT = 5_000;

export interface TaskMeterDeps {
  readonly engine: Engine;
  readonly lag: ScheduleLag;
  readonly workers: TaskWorkers;
  readonly registry: TaskRegistry;
  readonly outbox: Outbox | undefined;
  /** Milliseconds between two countings of the store, by one of all processes. */
  readonly interval: number;
  /** How many names of tasks that this process does not declare are told apart. */
  readonly maxTasks: number;
}

/** Measures one application, for whatever shows the metrics. */
export class TaskMeter {
  private readonly gauges: TaskGauges;

  constructor(private readonly deps: TaskMeterDeps) {
    const { engine, interval, lag, outbox, workers } = deps;
    const snapshot = new SharedSnapshot({
      store: engine.snapshots,
      now: () => engine.now(),
      interval,
      read: () => readStoreFigures({ engine, lag }),
    });
    this.gauges = new TaskGauges({ workers, snapshot, outbox, limit: READ_LIMIT });
  }

  /** The values of all gauges. Never rejects. */
  read(): Promise<Sample[]> {
    return this.gauges.read();
  }

  /** Records what happens to tasks. @returns ends it */
  record(recording: Recording): () => void {
    const { engine, maxTasks, registry } = this.deps;
    return recordTasks({
      engine,
      recording,
      queues: new BoundedNames(MOST_QUEUES, () => false),
      tasks: new BoundedNames(maxTasks, (name) => registry.get(name) !== undefined),
    });
  }
}
