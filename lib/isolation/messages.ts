import type { WatchOptions } from '../engine/ports/query-port.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import type { TaskRecord } from '../engine/task.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import type { ApplicationSetup } from './application-setup.js';
import type { IsolatedApplication } from './isolation-options.js';
import type { PortName } from './served-ports.js';
import type { SentError } from './sent-error.js';

/** What a child process has to boot. It gets it in its first message. */
export interface ChildJob extends IsolatedApplication {
  /** The id of the parent process: without it, the child ends. */
  readonly parent: number;
  /** Milliseconds by which the clock of the store is ahead of that of this computer. */
  readonly clockOffset: number;
}

/** The parts of a delivery that a message can carry. */
export interface SentDelivery extends Pick<
  Delivery,
  | 'id'
  | 'name'
  | 'queue'
  | 'args'
  | 'headers'
  | 'options'
  | 'attempt'
  | 'starts'
  | 'returns'
  | 'abandoned'
  | 'reruns'
  | 'enqueuedAt'
> {
  readonly root: string;
}

/** One attempt that the child is to run. */
export interface SentRun {
  /** Tells the messages of one run from those of an earlier one, whose method may have left work behind. */
  readonly run: number;
  readonly delivery: SentDelivery;
  readonly clockOffset: number;
  /** Bytes of resident memory beyond which the child is ended; `undefined`: no limit. */
  readonly memory: number | undefined;
  /** The dialects of the transactions in which the parent's engine can store calls. */
  readonly dialects: readonly string[];
  /** Whether the method may store its success in a transaction of its own. */
  readonly canComplete: boolean;
  /** The headers that carry the trace of the attempt into the child. */
  readonly carried: Readonly<Record<string, string | undefined>>;
}

/** A statement that the parent wants to run in a transaction of the child. */
export interface Statement {
  readonly query: number;
  readonly adapter: number;
  readonly text: string;
  readonly params: readonly unknown[];
}

export type Answer =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: SentError };

/** What the parent sends to a child process. */
export type ToChild =
  | { readonly type: 'boot'; readonly job: ChildJob }
  | ({ readonly type: 'run' } & SentRun)
  /** Abort the signal of the run. */
  | { readonly type: 'interrupt'; readonly run: number; readonly reason: SentError }
  | ({ readonly type: 'answer'; readonly call: number } & Answer)
  /** A watched task may have changed. */
  | { readonly type: 'changed'; readonly watch: number; readonly record?: TaskRecord | undefined }
  | ({ readonly type: 'statement' } & Statement)
  /** Close the application and exit. */
  | { readonly type: 'close' };

/** A call of a port of the parent. `run`: it belongs to the run and is dropped after its end. */
export interface PortCall {
  readonly call: number;
  readonly port: PortName;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly run?: number | undefined;
}

/** What a child process sends to its parent. */
export type FromChild =
  /** The application has booted. `memory` is its resident memory in bytes. An older version of this package tells no setup. */
  | { readonly type: 'ready'; readonly memory: number; readonly setup?: ApplicationSetup | undefined }
  | { readonly type: 'failed'; readonly message: string }
  /** The child has got the run. From here on its timeout counts. */
  | { readonly type: 'begun'; readonly run: number }
  /** The method is about to be called. */
  | { readonly type: 'started'; readonly run: number }
  | { readonly type: 'ended'; readonly run: number; readonly outcome: RunOutcome }
  | ({ readonly type: 'call' } & PortCall)
  | { readonly type: 'watch'; readonly watch: number; readonly id: string; readonly options: WatchOptions }
  | { readonly type: 'unwatch'; readonly watch: number }
  | ({ readonly type: 'rows'; readonly query: number } & Answer)
  /** A line of the journal of runs, which the parent writes. */
  | {
      readonly type: 'line';
      readonly level: 'log' | 'warn' | 'error';
      readonly text: string;
      readonly stack?: string | undefined;
    };

/** An argument that stands for a transaction of the child. */
export interface SentAdapter {
  readonly adapter: number;
  readonly dialect: string;
}
