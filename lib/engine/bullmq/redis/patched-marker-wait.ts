import type { IQueueBackend } from 'bullmq';
import { aroundTaking } from '../around-taking.js';
import type { EndableWait } from '../patched-early-request.js';

type WaitingBackend = Pick<IQueueBackend, 'waitForJob' | 'moveToActive' | 'moveToCompleted' | 'moveToFailed'>;
/** Tells a worker that there may be a job, or when the next one is due. */
type Marker = Awaited<ReturnType<IQueueBackend['waitForJob']>>;

/** Ends the wait of a worker in place of a marker. */
const ASK_NOW: Marker = { member: '', score: 0 };

/**
 * The wait of one idle worker for a marker, which BullMQ stores with each job. The command that waits for it cannot be ended. It stays with
 * Redis when the wait ends early, and the next wait of the worker takes its answer. Redis gives each marker to one worker of all
 * processes, so a marker that comes while the worker runs a job must not get lost: if the worker does not ask for a job soon,
 * this class tells another worker.
 */
export class MarkerWait implements EndableWait {
  /** Whether a command that waits for a marker is with Redis. */
  private isWithRedis = false;
  /** How the wait of the worker ends; `undefined` while it does not wait. */
  private open: { resolve(marker: Marker): void; reject(error: unknown): void } | undefined;
  /** The marker since which the worker has not asked for a job. */
  private unused: Marker | undefined;
  /** Requests for a job without an answer. */
  private asking = 0;
  private readonly waitForJob: IQueueBackend['waitForJob'];

  /** @param handOn tells another worker of the queue that there may be a job */
  constructor(
    backend: WaitingBackend,
    private readonly handOn: () => void,
  ) {
    this.waitForJob = backend.waitForJob.bind(backend);
    backend.waitForJob = (timeout) => this.wait(timeout);
    const { moveToCompleted, moveToFailed } = backend;
    backend.moveToCompleted = (job, value, keep, token, fetchNext) => {
      if (fetchNext) this.unused = undefined;
      return moveToCompleted.call(backend, job, value, keep, token, fetchNext);
    };
    backend.moveToFailed = (job, reason, keep, token, fetchNext, fields) => {
      if (fetchNext) this.unused = undefined;
      return moveToFailed.call(backend, job, reason, keep, token, fetchNext, fields);
    };
  }

  /** Follows the requests of the worker, also those that another change of the backend makes. */
  followRequests(backend: Pick<WaitingBackend, 'moveToActive'>): void {
    aroundTaking(backend, {
      asks: () => {
        this.asking++;
        this.unused = undefined;
      },
      taken: (next) => {
        this.answered();
        return next;
      },
      failed: (error) => {
        this.answered();
        throw error;
      },
    });
  }

  get isOpen(): boolean {
    return this.open !== undefined;
  }

  end(): void {
    this.open?.resolve(ASK_NOW);
  }

  /** @param timeout in seconds */
  private wait(timeout: number): Promise<Marker> {
    const { unused } = this;
    this.unused = undefined;
    if (unused) return Promise.resolve(unused);
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const over = () => {
        clearTimeout(timer);
        this.open = undefined;
      };
      this.open = {
        resolve: (marker) => {
          over();
          resolve(marker);
        },
        reject: (error) => {
          over();
          reject(error);
        },
      };
      if (this.isWithRedis) timer = setTimeout(() => this.open?.resolve(null), timeout * 1_000);
      else this.waitWithRedis(timeout);
    });
  }

  private waitWithRedis(timeout: number): void {
    this.isWithRedis = true;
    this.waitForJob(timeout).then(
      (marker) => {
        this.isWithRedis = false;
        if (this.open) this.open.resolve(marker);
        else if (marker) this.keep(marker);
      },
      (error: unknown) => {
        this.isWithRedis = false;
        this.open?.reject(error);
      },
    );
  }

  private keep(marker: Marker): void {
    this.unused = marker;
    if (this.asking === 0) this.handOnUnlessUsed();
  }

  private answered(): void {
    this.asking--;
    if (this.asking === 0 && this.unused) this.handOnUnlessUsed();
  }

  /** A worker that is not full asks for the next job in the turn after the one in which it got a job. */
  private handOnUnlessUsed(): void {
    const { unused } = this;
    setImmediate(() =>
      setImmediate(() => {
        if (this.unused !== unused) return;
        this.unused = undefined;
        this.handOn();
      }),
    );
  }
}
