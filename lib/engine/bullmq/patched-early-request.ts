import type { IQueueBackend, Worker, WorkerOptions } from 'bullmq';
import { aroundTaking } from './around-taking.js';
import type { NextJob } from './lane/taken-ahead.js';

/** The method with which BullMQ's worker waits, if no job was left, and asks for a job. */
export const WAIT_AND_ASK = '_getNextJob';

/** How BullMQ's worker asks for a job. These methods are protected. */
interface Requests {
  readonly opts: Pick<WorkerOptions, 'name'>;
  [WAIT_AND_ASK](token: string, options?: object): Promise<unknown>;
  moveToActive(token: string, name?: string): Promise<unknown>;
}

/** The wait of an idle worker for a job. */
export interface EndableWait {
  readonly isOpen: boolean;
  /** Ends the wait, so that the worker asks for a job. */
  end(): void;
}

/**
 * Takes a job in place of the backend. Sends the command before it returns.
 *
 * @returns `undefined` when the worker has to ask in its own way
 */
export type TakeJob = (token: string) => Promise<NextJob | undefined>;

/**
 * The request for a job that this process makes for one idle worker in the moment in which it stores a job. By itself, BullMQ stores a
 * job, the store tells the workers that wait, and then one of them asks for the job: two ways to the store and back before it starts. An
 * early request goes to the store together with the job: one way.
 */
export class EarlyRequest {
  /** The token with which the worker waits. */
  private token: string | undefined;
  /** Makes the request of the worker; `undefined` before {@link watch}. */
  private request: ((token: string) => Promise<unknown>) | undefined;
  /** The request that was made for the worker before its wait ended. */
  private early: { readonly token: string; readonly job: Promise<unknown> } | undefined;
  /** How the request is sent that is being made. */
  private take: TakeJob | undefined;
  /** Whether a request has got a job since the last early one. A queue may be paused, for example. */
  private helps = true;

  constructor(
    backend: Pick<IQueueBackend, 'moveToActive'>,
    private readonly wait: EndableWait,
  ) {
    const moveToActive = backend.moveToActive.bind(backend);
    backend.moveToActive = (token, name) => {
      const { take } = this;
      if (!take) return moveToActive(token, name);
      this.take = undefined;
      return take(token).then((next) => next ?? moveToActive(token, name));
    };
    aroundTaking(backend, {
      taken: (next) => {
        if (next[0]) this.helps = true;
        return next;
      },
    });
  }

  /** Follows the requests of the worker. {@link make} does nothing before. */
  watch(worker: Worker): void {
    const requests = worker as unknown as Requests;
    const next = requests[WAIT_AND_ASK].bind(worker);
    const ask = requests.moveToActive.bind(worker);
    this.request = (token) => ask(token, requests.opts.name);
    requests[WAIT_AND_ASK] = (token, options) => {
      this.token = token;
      return next(token, options);
    };
    requests.moveToActive = (token, name) => {
      const { early } = this;
      if (early?.token !== token) return ask(token, name);
      this.early = undefined;
      return early.job;
    };
  }

  /** Whether the worker waits, and may get a job if it asks. */
  get isPossible(): boolean {
    return this.helps && this.wait.isOpen && this.token !== undefined && this.request !== undefined;
  }

  /**
   * Makes the request of an idle worker for a job, and ends its wait. The request passes through all changes of the backend. One of them may
   * hold it, for example because there is no place: then `take` is not called, and the request is sent later in the worker's own way.
   */
  make(take: TakeJob): void {
    const { token, request } = this;
    if (!this.isPossible || token === undefined || !request) return;
    this.helps = false;
    this.take = take;
    this.early = { token, job: request(token) };
    this.take = undefined;
    this.wait.end();
  }
}
