import type { WorkerRecord } from '../../ports/worker-registry.js';

/** Milliseconds between two looks at the other workers of a queue with batches. */
const INTERVAL = 5_000;

export interface RunCountingDeps {
  /** The workers of the queue that run now. */
  readonly workers: () => Promise<readonly WorkerRecord[]>;
  /** Stores whether the global concurrency counts runs, and not the jobs that workers take. */
  readonly countRuns: (countsRuns: boolean) => Promise<void>;
}

/**
 * Decides what the global concurrency of a queue with batches counts. A worker whose code runs the tasks one by one takes no places: an
 * earlier version of the application in the middle of a deploy, for example. As long as there is one, BullMQ limits the jobs, and so the
 * runs too. After that, only runs count.
 */
export class RunCounting {
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(
    private readonly queue: string,
    private readonly deps: RunCountingDeps,
  ) {}

  /** Whether all workers of the queue that run now take places. */
  async canCountRuns(): Promise<boolean> {
    const workers = await this.deps.workers();
    return workers.every(({ batchSizes }) => batchSizes?.[this.queue] !== undefined);
  }

  /** Looks at the other workers again and again, because they come and go. */
  start(): void {
    if (this.isStopped) return;
    this.timer = setTimeout(() => void this.look(), INTERVAL).unref();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private async look(): Promise<void> {
    try {
      await this.update();
    } catch {
      // The store cannot be reached, and no worker takes a job meanwhile.
    }
    this.start();
  }

  private async update(): Promise<void> {
    const countsRuns = await this.canCountRuns();
    if (this.isStopped) return;
    await this.deps.countRuns(countsRuns);
    // A worker publishes itself before it declares what it counts. What it declared may be overwritten now.
    if (countsRuns && !(await this.canCountRuns())) await this.deps.countRuns(false);
  }
}
