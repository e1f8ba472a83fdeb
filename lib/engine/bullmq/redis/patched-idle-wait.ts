import type { IQueueBackend, Worker, WorkerOptions } from 'bullmq';
import { aroundTaking } from '../around-taking.js';
import type { NextJob } from '../lane/taken-ahead.js';
import type { RedisClient } from './client-options.js';
import { inOnePacket } from './one-packet.js';

type WaitingBackend = Pick<IQueueBackend, 'waitForJob' | 'moveToActive' | 'moveToCompleted' | 'moveToFailed'>;
/** Tells a worker that there may be a job, or when the next one is due. */
type Marker = Awaited<ReturnType<IQueueBackend['waitForJob']>>;

/** The method with which BullMQ's worker waits, if no job was left, and asks for a job. */
export const WAIT_AND_ASK = '_getNextJob';

/** How BullMQ's worker asks for a job. These methods are protected. */
interface Requests {
  readonly opts: Pick<WorkerOptions, 'name'>;
  [WAIT_AND_ASK](token: string, options?: object): Promise<unknown>;
  moveToActive(token: string, name?: string): Promise<unknown>;
}

/** Ends the wait of a worker in place of a marker. */
const ASK_NOW: Marker = { member: '', score: 0 };

export interface IdleWaitDeps {
  /**
   * Sends the request for a job before it returns, on the client that stores jobs. Gets `undefined` when the worker has to ask on its own
   * client.
   */
  readonly take: (token: string) => Promise<NextJob | undefined>;
  /** Tells another worker of the queue that there may be a job. */
  readonly handOn: () => void;
}

/**
 * The wait of one idle worker for a job. By itself, BullMQ stores a job with a marker, Redis gives the marker to a worker that waits for
 * it, and then this worker asks for the job: two ways to Redis and back. A worker of the process that stores the job can ask at
 * once, in the packet that stores the job (see {@link askWith}): one way. Then its wait ends, and the request with which it goes on
 * is the one that was sent.
 *
 * The command that waits for the marker stays with Redis then, and the next wait of the worker takes its answer. Redis gives each marker to
 * one worker of all processes, so a marker that comes while the worker runs a job must not get lost: if the worker does not ask for
 * a job soon, `handOn` tells another one.
 */
export class IdleWait {
  /** Whether a command that waits for a marker is with Redis. */
  private isWithRedis = false;
  /** The token with which the worker waits. */
  private token: string | undefined;
  /** Makes the request of the worker; `undefined` before {@link watch}. */
  private request: ((token: string) => Promise<unknown>) | undefined;
  /** How the wait of the worker ends; `undefined` while it does not wait. */
  private open: { resolve(marker: Marker): void; reject(error: unknown): void } | undefined;
  /** The request that was made for the worker before its wait ended. */
  private early: { readonly token: string; readonly job: Promise<unknown> } | undefined;
  /** Whether the next request goes with the packet that stores a job. */
  private isEarly = false;
  /** The marker since which the worker has not asked for a job. */
  private unused: Marker | undefined;
  /** Requests for a job without an answer. */
  private asking = 0;
  /** Whether a request has got a job since the last early one. A queue may be paused, for example. */
  private helps = true;
  private readonly waitForJob: IQueueBackend['waitForJob'];

  constructor(
    backend: WaitingBackend,
    private readonly deps: IdleWaitDeps,
  ) {
    this.waitForJob = backend.waitForJob.bind(backend);
    backend.waitForJob = (timeout) => this.wait(timeout);
    const moveToActive = backend.moveToActive.bind(backend);
    backend.moveToActive = (token, name) => {
      this.asking++;
      this.unused = undefined;
      if (!this.isEarly) return moveToActive(token, name);
      this.isEarly = false;
      return deps.take(token).then((next) => next ?? moveToActive(token, name));
    };
    aroundTaking(backend, {
      taken: (next) => {
        if (next[0]) this.helps = true;
        this.answered();
        return next;
      },
      failed: (error) => {
        this.answered();
        throw error;
      },
    });
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

  /** Follows the requests of the worker. {@link ask} does nothing before. */
  watch(worker: Worker): void {
    const requests = worker as unknown as Requests;
    const next = requests[WAIT_AND_ASK].bind(worker);
    const take = requests.moveToActive.bind(worker);
    this.request = (token) => take(token, requests.opts.name);
    requests[WAIT_AND_ASK] = (token, options) => {
      this.token = token;
      return next(token, options);
    };
    requests.moveToActive = (token, name) => {
      const { early } = this;
      if (early?.token !== token) return take(token, name);
      this.early = undefined;
      return early.job;
    };
  }

  /** Whether the worker waits, and may get a job if it asks. */
  get isIdle(): boolean {
    return this.helps && this.open !== undefined && this.token !== undefined;
  }

  /**
   * Makes the request of an idle worker for a job, and ends its wait. The request passes through all changes of the backend. One of them may
   * hold it, for example because there is no place; then it is sent later, on the worker's own client.
   */
  ask(): void {
    const { open, token } = this;
    if (!open || token === undefined || !this.request) return;
    this.helps = false;
    this.isEarly = true;
    this.early = { token, job: this.request(token) };
    this.isEarly = false;
    open.resolve(ASK_NOW);
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
        this.deps.handOn();
      }),
    );
  }
}

/** Sends a command that stores jobs, and in the same packet the request of an idle worker for a job. */
export function askWith<T>(client: RedisClient, worker: IdleWait, send: () => T): T {
  return inOnePacket(client, () => {
    const sent = send();
    worker.ask();
    return sent;
  });
}
