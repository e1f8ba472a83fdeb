import type { Engine } from '../engine/engine.js';
import { queueOfTask } from '../engine/task-id.js';
import { isFinal } from '../engine/task.js';
import { SelfWaitError } from '../errors.js';
import type { RunWait, RunWaits } from '../results/run-waits.js';
import type { TaskContext } from './task-context.js';
import { WaitsForPlaces, type KeptPlaces, type WaitForPlace, type WaitingRun } from './waits-for-places.js';

export interface RunWaitsDeps {
  readonly context: TaskContext;
  readonly engine: Pick<Engine, 'find'>;
}

/** A queue from which this process takes tasks. */
export interface ConsumedQueue {
  /** How many of its tasks run at once; of a queue with batches, how many batches. */
  readonly places: number;
  /** Whether a task that the worker has taken may wait there for a place, as the calls of batches do. */
  readonly holdsTasks: boolean;
  /** Whether a worker in another process takes tasks from it too. */
  readonly isConsumedElsewhere: () => Promise<boolean>;
  /** How many of its tasks, or batches, may run at once in all processes together; `undefined` for any number. */
  readonly globalConcurrency: () => Promise<number | undefined>;
}

/**
 * Finds waits that can never end: a running task keeps its place in its queue while it waits, and the awaited task needs
 * a place of the same queue. When every place of the process is kept in that way, and no other process takes tasks from
 * the queue, a caller gets an error instead of waiting for ever.
 */
export class RunWaitsOfProcess implements RunWaits {
  private readonly queues = new Map<string, ConsumedQueue & { readonly waits: WaitsForPlaces }>();

  constructor(private readonly deps: RunWaitsDeps) {}

  addQueue(name: string, queue: ConsumedQueue): void {
    const waits = new WaitsForPlaces({
      places: queue.places,
      needsPlace: (wait) => this.needsPlace(wait, queue),
      isConsumedElsewhere: queue.isConsumedElsewhere,
      sharedLimit: queue.globalConcurrency,
      error: ({ id, run }, kept) => new SelfWaitError(id, run, kept.places, placesOf(name, kept)),
    });
    this.queues.set(name, { ...queue, waits });
  }

  begin(id: string): RunWait | undefined {
    const run = this.deps.context.current();
    return run && this.beginFor(run, id);
  }

  /** The same for a run that may be in a child process. */
  beginFor(run: WaitingRun, id: string): RunWait | undefined {
    const { queue } = run;
    const consumed = queueOfTask(id) === queue ? this.queues.get(queue) : undefined;
    if (!consumed || run.isOver?.()) return undefined;
    const waitsForItself = run.calls?.has(id) ?? id === run.id;
    return waitsForItself
      ? refused(new SelfWaitError(id, run, consumed.places))
      : consumed.waits.begin({ run, id, queue });
  }

  /** Whether another process runs the tasks of a queue. */
  async isConsumedElsewhere(queue: string): Promise<boolean> {
    return (await this.queues.get(queue)?.isConsumedElsewhere()) ?? true;
  }

  /** A task that runs here has one of the places, unless it is held there, as the call of a later batch is. */
  private async needsPlace({ id }: WaitForPlace, { holdsTasks }: ConsumedQueue): Promise<boolean> {
    const record = await this.deps.engine.find(id);
    if (!record || isFinal(record.state)) return false;
    return record.state !== 'running' || holdsTasks;
  }
}

function placesOf(queue: string, { of }: KeptPlaces): { what: string; cure: string } {
  const cure = 'give the awaited task another queue';
  return of === 'this process'
    ? { what: `places of the queue "${queue}"`, cure }
    : { what: `places that its globalConcurrency gives the queue "${queue}"`, cure: `raise it, or ${cure}` };
}

/** A wait that does not begin. */
function refused(error: SelfWaitError): RunWait {
  return { checked: Promise.reject(error), signal: AbortSignal.abort(error), end: () => undefined };
}
