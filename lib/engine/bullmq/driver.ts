import type { CallDeadline } from './call-deadline.js';
import type { MessageBus } from './message-bus.js';
import type { JobEntry } from './jobs/job-data.js';
import type { FlowProducer, JobJson, JobState, Processor, Queue, QueueOptions, Worker, WorkerOptions } from 'bullmq';

/** What differs between the databases BullMQ runs on: connecting, looking a job up, and telling other processes. */
export interface Store {
  /** For log lines and errors: where it is, without credentials. */
  readonly address: string;
  readonly bus: MessageBus;
  /** How tasks are sent that are enqueued together. They are to be stored in their order. */
  readonly portions: Portions;
  /** Limits the time of each call. */
  readonly deadline: CallDeadline;
  /**
   * Resolves once the store can be used; each call tries once.
   *
   * @throws ConfigurationError for what trying again cannot heal
   * @throws any other error while it cannot be reached
   */
  connect(): Promise<void>;
  /** Asks the server for an answer, on a connection that commands use. */
  ping(): Promise<void>;
  /** Drops a connection on which nobody answers, with what was sent on it. */
  abandon(): void;
  /** A queue on the shared connection. Call only after {@link connect}. */
  createQueue(name: string, options?: Omit<QueueOptions, 'connection' | 'prefix'>): Queue;
  /**
   * Stores jobs in their order, and tells of each as soon as it is stored. One that is there already is left as it is.
   * Call only once the queue is ready.
   */
  addJobs(queue: Queue, jobs: readonly JobEntry[], stored: Stored): Promise<void>;
  /** Stores tasks with those they wait for, on the shared connection. Call only after {@link connect}. */
  createFlowProducer(): FlowProducer;
  /** A worker that does not run yet, with a blocking connection of its own. */
  createWorker(name: string, processor: Processor, options: Omit<WorkerOptions, 'connection' | 'prefix'>): Worker;
  /** One look-up, whatever the length of the queue; `queue` may be one that no process has ever used. */
  find(queue: string, id: string): Promise<{ readonly json: JobJson; readonly state: JobState } | undefined>;
  /** Whether an error means that the store cannot be reached, so that trying again may help. */
  isOutage(error: unknown): boolean;
  /** Hears of connections that broke outside of any call. */
  onError(listener: (error: Error) => void): void;
  /** Closes what this store opened; safe to call twice, and when the server is gone. */
  close(): Promise<void>;
}

/** Told for each job, by its place, the id of the one that stands for it. */
export type Stored = (index: number, id: string) => void;

/** How many jobs go to the store at a time, and how many such parts may be under way. */
export interface Portions {
  readonly size: number;
  readonly atOnce: number;
}
