import type { Interruption } from '../engine/interruption.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import { TaskTimeoutError, WorkerClosingError } from '../errors.js';
import { LongTimer } from '../long-timer.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import { describeExit } from './child-exit.js';
import type { ChildProcess } from './child-process.js';
import type { FromChild, SentRun } from './messages.js';
import { toSentError } from './sent-error.js';

/** Milliseconds that a method may go on after its signal was aborted. Then its process is killed. */
const KILL_AFTER = 2_000;
/** The same when this process closes: the outcome still has to be stored. */
const KILL_AFTER_CLOSING = 1_000;
/** Milliseconds after an abort, without an end, after which the child will probably have to be killed. */
const SLOW_TO_END = 300;
/** Milliseconds that a child has to take a run. One that does not still computes something that an earlier method left behind. */
const TAKE_WITHIN = 5_000;

/** How the run of an attempt in a child ended. */
export type RunEnd =
  | { readonly kind: 'ended'; readonly outcome: RunOutcome }
  /** The child was killed, because the attempt had to end. */
  | { readonly kind: 'stopped'; readonly reason: unknown }
  /** The child ended by itself. `hasBegun`: it had taken the run. */
  | { readonly kind: 'lost'; readonly how: string; readonly hasBegun: boolean };

export interface IsolatedRunDeps {
  /** Called when the method is about to be called. */
  readonly onStart: () => void;
  /** Called when the child will probably have to be killed. */
  readonly onSlowEnd: () => void;
  readonly writeLine: (line: Extract<FromChild, { type: 'line' }>) => void;
  /** Milliseconds that the attempt may take; `undefined`: no limit. */
  readonly timeout: number | undefined;
  /** Bytes of resident memory; `undefined`: no limit. */
  readonly memory: number | undefined;
}

/** One attempt of a task in a child process. */
export class IsolatedRun {
  private hasBegun = false;
  private killedFor: { readonly reason: unknown } | undefined;
  private readonly timers: NodeJS.Timeout[] = [];
  private timeout: LongTimer | undefined;

  constructor(
    private readonly child: ChildProcess,
    private readonly sent: SentRun,
    private readonly delivery: Delivery,
    private readonly deps: IsolatedRunDeps,
  ) {}

  /** Sends the attempt to the child. Never rejects. */
  async run(): Promise<RunEnd> {
    const { child, sent, delivery } = this;
    const { run } = sent;
    child.server.begin(run, delivery);
    const ended = new Promise<RunEnd>((resolve) => {
      child.listener = (message) => {
        if (message.type === 'line') this.deps.writeLine(message);
        else if ('run' in message && message.run === run) this.handle(message, resolve);
      };
    });
    const lost = child.gone.then((exit): RunEnd => {
      if (this.killedFor) return { kind: 'stopped', reason: this.killedFor.reason };
      return { kind: 'lost', how: describeExit(exit, this.deps.memory), hasBegun: this.hasBegun };
    });
    child.send({ type: 'run', ...sent });
    const stopListening = delivery.interruption.onRequest(() => this.interrupt(delivery.interruption));
    this.timers.push(setTimeout(() => !this.hasBegun && child.kill(), TAKE_WITHIN));
    try {
      return await Promise.race([ended, lost]);
    } finally {
      stopListening();
      this.timeout?.clear();
      for (const timer of this.timers) clearTimeout(timer);
      child.server.end();
      child.listener = () => undefined;
    }
  }

  private handle(message: Extract<FromChild, { run?: number }>, resolve: (end: RunEnd) => void): void {
    if (message.type === 'begun') {
      this.hasBegun = true;
      const { timeout } = this.deps;
      // The child aborts the signal by itself, at the same time.
      if (timeout !== undefined) this.timeout = new LongTimer(() => this.onTimeout(timeout), timeout);
    } else if (message.type === 'started') this.deps.onStart();
    else if (message.type === 'ended') resolve({ kind: 'ended', outcome: message.outcome });
  }

  private onTimeout(timeout: number): void {
    this.killLater(new TaskTimeoutError(`The attempt took longer than its timeout of ${timeout} ms.`), KILL_AFTER);
  }

  private interrupt({ reason }: Interruption): void {
    this.child.send({ type: 'interrupt', run: this.sent.run, reason: toSentError(reason) });
    this.killLater(reason, reason instanceof WorkerClosingError ? KILL_AFTER_CLOSING : KILL_AFTER);
  }

  private killLater(reason: unknown, milliseconds: number): void {
    this.timers.push(
      setTimeout(this.deps.onSlowEnd, SLOW_TO_END),
      setTimeout(() => {
        this.killedFor ??= { reason };
        this.child.kill();
      }, milliseconds),
    );
  }
}
