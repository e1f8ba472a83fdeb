import type { Worker } from 'bullmq';
import type { Places } from '../../ports/worker-port.js';

/** The jobs of a worker that run or are being fetched. Its type is private. */
interface MainLoop {
  readonly mainLoopQueue: { numTotal(): number; add(job: Promise<undefined>): void } | null;
}

/** The answer of a backend that has no job. */
const NO_JOB = [undefined, undefined, 0, 0] as unknown as Awaited<
  ReturnType<ReturnType<Worker['getBackend']>['moveToActive']>
>;

/**
 * Keeps a worker from taking jobs for which there is no place at the moment. BullMQ reads the concurrency of a worker each time before it
 * asks for a job, but it allows no concurrency of 0, and after a change it goes on only when one of its jobs has ended.
 */
export class LimitedIntake {
  private readonly stopListening: () => void;
  private isStopped = false;
  /** Resolves the request that waits for a place. There is one at most, because a worker without a job asks for one job. */
  private open: (() => void) | undefined;

  /**
   * @param most the concurrency of the worker
   * @param wake lets another worker ask for the job that this one was told of
   */
  constructor(
    private readonly worker: Worker,
    private readonly places: Places,
    private readonly most: number,
    wake: () => Promise<void>,
  ) {
    const backend = worker.getBackend();
    const moveToActive = backend.moveToActive.bind(backend);
    backend.moveToActive = async (...args) => {
      if (places.count() === 0 && !this.isStopped) {
        wake().catch(() => undefined);
        await new Promise<void>((resolve) => (this.open = resolve));
      }
      return this.isStopped ? NO_JOB : moveToActive(...args);
    };
    this.stopListening = places.onChange(() => this.update());
    this.update();
  }

  /** Whether all places are taken that there are. @param running the jobs that run */
  isFull(running: number): boolean {
    return running >= Math.min(this.places.count(), this.most);
  }

  /** Takes no more jobs. */
  stop(): void {
    this.isStopped = true;
    this.stopListening();
    this.open?.();
  }

  private update(): void {
    const { worker, most, places } = this;
    const before = worker.concurrency;
    const now = places.count();
    worker.concurrency = Math.max(Math.min(now, most), 1);
    if (now > 0) this.open?.();
    if (now > 0) this.open = undefined;
    const { mainLoopQueue } = worker as unknown as MainLoop;
    const filled = mainLoopQueue?.numTotal() ?? 0;
    // The main loop waits for the end of one of its jobs. This one has ended at once, and makes it ask for another.
    if (filled >= before && filled < worker.concurrency) mainLoopQueue?.add(Promise.resolve(undefined));
  }
}
