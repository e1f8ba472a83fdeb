import type { IQueueBackend, RedisQueueBackend } from 'bullmq';
import type { Redis } from 'ioredis';
import { aroundTaking } from '../around-taking.js';

type WaitingBackend = Pick<IQueueBackend, 'waitForJob' | 'moveToActive' | 'moveToCompleted' | 'moveToFailed'> &
  Pick<RedisQueueBackend, 'execCommand'>;
/** Tells a worker that there may be a job, or when the next one is due. */
type Marker = Awaited<ReturnType<IQueueBackend['waitForJob']>>;
type Client = Parameters<RedisQueueBackend['execCommand']>[0];

/** Ends the wait of a worker in place of a marker. */
const ASK_NOW: Marker = { member: '', score: 0 };
/** The answer of the script `moveToActive` when no job waits. */
const NO_JOB = [0, 0, 0, 0];

/**
 * The wait of one idle worker for a job. By itself, BullMQ stores a job with a marker, Redis gives the marker to a worker that waits for
 * it, and then this worker asks for the job: two ways to Redis and back. A worker of the process that stores the job can ask at
 * once, in the packet that stores the job (see {@link askWith}): one way.
 *
 * The command that waits for the marker stays with Redis then, and the next wait of the worker takes its answer. Redis gives each marker to
 * one worker of all processes, so a marker that comes while the worker runs a job must not get lost: if the worker does not ask for
 * a job soon, `handOn` tells another one.
 */
export class IdleWait {
  /** Whether a command that waits for a marker is with Redis. */
  private isWithRedis = false;
  /** How the wait of the worker ends; `undefined` while it does not wait. */
  private open: { resolve(marker: Marker): void; reject(error: unknown): void } | undefined;
  /** The marker since which the worker has not asked for a job. */
  private unused: Marker | undefined;
  /** Requests for a job without an answer. */
  private asking = 0;
  /** Whether a request has got a job since the last wait that {@link ask} ended. A queue may be paused, for example. */
  private helps = true;
  /** The client on which the next request for a job is sent. */
  private client: Redis | undefined;
  private readonly waitForJob: IQueueBackend['waitForJob'];

  constructor(
    backend: WaitingBackend,
    private readonly handOn: () => void,
  ) {
    this.waitForJob = backend.waitForJob.bind(backend);
    backend.waitForJob = (timeout) => this.wait(timeout);
    const execCommand = backend.execCommand.bind(backend);
    backend.execCommand = (client, command, args) => {
      const early = command === 'moveToActive' ? this.takeClient() : undefined;
      if (!early) return execCommand(client, command, args);
      // Whatever went wrong, the worker asks again in its own way.
      return execCommand(early, command, args).catch(() => NO_JOB);
    };
  }

  /** Whether the worker waits, and may get a job if it asks. */
  get isIdle(): boolean {
    return this.helps && this.open !== undefined;
  }

  /** Ends the wait of an idle worker, which then asks for a job in the microtasks that follow, on this client. */
  ask(client: Redis): void {
    this.helps = false;
    this.client = client;
    this.open?.resolve(ASK_NOW);
  }

  /** The worker sends further requests on its own client. */
  asked(): void {
    this.client = undefined;
  }

  /** Notices when the worker asks for a job, also with the end of another. Call it after the changes that ask in another way. */
  watch(backend: WaitingBackend): void {
    const { moveToActive, moveToCompleted, moveToFailed } = backend;
    backend.moveToActive = (token, name) => {
      this.asking++;
      this.unused = undefined;
      return moveToActive.call(backend, token, name);
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
    backend.moveToCompleted = (job, value, keep, token, fetchNext) => {
      if (fetchNext) this.unused = undefined;
      return moveToCompleted.call(backend, job, value, keep, token, fetchNext);
    };
    backend.moveToFailed = (job, reason, keep, token, fetchNext, fields) => {
      if (fetchNext) this.unused = undefined;
      return moveToFailed.call(backend, job, reason, keep, token, fetchNext, fields);
    };
  }

  private takeClient(): Client | undefined {
    const { client } = this;
    this.client = undefined;
    if (!client) return undefined;
    const scripts = client as unknown as Record<string, (args: unknown[]) => Promise<unknown>>;
    const runCommand = (script: string, args: unknown[]) => scripts[script]?.(args) ?? Promise.resolve(NO_JOB);
    return { runCommand } as unknown as Client;
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

/** Sends a command that stores jobs, and in the same packet the request of an idle worker for a job. */
export function askWith<T>(client: Redis, worker: IdleWait, send: () => Promise<T>): Promise<T> {
  const { stream } = client;
  stream.cork();
  // These steps come after all microtasks, in which the worker asks.
  queueMicrotask(() =>
    process.nextTick(() => {
      worker.asked();
      stream.uncork();
    }),
  );
  const sent = send();
  worker.ask(client);
  return sent;
}
