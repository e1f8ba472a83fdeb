import { Interruption } from '../engine/interruption.js';
import { TaskTimeoutError } from '../errors.js';
import { LongTimer } from '../long-timer.js';

/** Milliseconds that a method may go on after its signal was aborted. Then its attempt ends without it. */
const ABORT_GRACE = 250;

/** Milliseconds that a timer of Node may fire early or late by itself. */
const TIMER_TOLERANCE = 5;

/** Milliseconds after the timeout from which on a timer is late because code blocks the event loop, and not by itself. */
const LATE_BY = 100;

/** What an attempt reports about its limit. */
export interface TimeLimitListener {
  /** Milliseconds that the method may go on after its signal was aborted; `Infinity`: until it ends. Default: {@link ABORT_GRACE}. */
  readonly abortGrace?: number;
  /** Called with an error that a listener of the task's signal, or of one that is derived from it, throws. */
  readonly onListenerError?: (error: unknown) => void;
  /**
   * Called once when the timeout took effect late, because the event loop was blocked.
   *
   * @param taken milliseconds since the start of the attempt
   * @param timeout milliseconds
   */
  readonly onLate?: (taken: number, timeout: number) => void;
}

/** Ends one attempt when its delivery is interrupted, or when its timeout is over. */
export class TimeLimit {
  readonly deadline: Date | undefined;
  readonly interruption: Interruption;
  private readonly startedAt = performance.now();
  private readonly timer: LongTimer | undefined;
  private readonly stopListening: () => void;
  private readonly graceTimers: NodeJS.Timeout[] = [];
  private runInContext = (body: () => void): void => body();
  private hasEnded = false;
  private over = false;

  /**
   * @param delivery the interruption of the delivery
   * @param timeout milliseconds; `undefined` for no limit
   */
  constructor(
    delivery: Interruption,
    private readonly timeout: number | undefined,
    private readonly listener: TimeLimitListener = {},
  ) {
    this.interruption = new Interruption(listener.onListenerError);
    this.stopListening = delivery.onRequest(() => this.interrupt(delivery.reason));
    if (timeout === undefined) return;
    this.deadline = new Date(Date.now() + timeout);
    this.timer = new LongTimer(() => this.timeOut(), timeout);
  }

  /** Whether the attempt is over. Work that its method left behind may go on. */
  get isOver(): boolean {
    return this.over;
  }

  /**
   * Interrupts an attempt that is over its timeout although the timer has not fired: the method blocked the event loop.
   * Called when the method has ended.
   */
  checkTime(): void {
    if (this.hasEnded) return;
    if (this.timeout !== undefined && performance.now() - this.startedAt > this.timeout + TIMER_TOLERANCE)
      this.timeOut();
  }

  /** The method has ended in time, or late: what comes after it does not count against the timeout. */
  methodHasEnded(): void {
    this.checkTime();
    this.hasEnded = true;
    this.timer?.clear();
  }

  /** The reason why the attempt has to end; `undefined` when it may go on. */
  get reason(): unknown {
    return this.interruption.reason;
  }

  /**
   * Resolves or rejects as the call does. After an interruption, the call has {@link ABORT_GRACE} to end; then the
   * promise is rejected with the reason, and whatever the call returns or throws later is ignored.
   *
   * @param runInContext runs the call with the context of the task, and later the listeners of the signal
   */
  race<T>(call: () => T, runInContext: <R>(body: () => R) => R): Promise<Awaited<T>> {
    this.interruptIn(runInContext);
    return new Promise<Awaited<T>>((resolve, reject) => {
      if (this.interruption.isRequested) return reject(this.reason);
      this.whenOverdue(reject);
      // Inside the executor of the promise, so that an error which a synchronous method throws rejects the promise too.
      Promise.resolve(runInContext(call)).then(resolve, reject);
    });
  }

  /** @param runInContext calls the listeners of the signal with the context of the task */
  interruptIn(runInContext: (body: () => void) => void): void {
    this.runInContext = runInContext;
  }

  /** Calls `end` with the reason of an interruption, {@link ABORT_GRACE} after it. */
  whenOverdue(end: (reason: unknown) => void): void {
    const { abortGrace = ABORT_GRACE } = this.listener;
    if (abortGrace === Infinity) return;
    this.interruption.onRequest(() => this.graceTimers.push(setTimeout(() => end(this.reason), abortGrace)));
  }

  clear(): void {
    this.over = true;
    this.stopListening();
    this.timer?.clear();
    for (const timer of this.graceTimers) clearTimeout(timer);
  }

  private timeOut(): void {
    const taken = performance.now() - this.startedAt;
    const { timeout = 0 } = this;
    if (!this.interruption.isRequested && taken > timeout + LATE_BY) this.listener.onLate?.(Math.round(taken), timeout);
    this.interrupt(new TaskTimeoutError(`The attempt took longer than its timeout of ${this.timeout} ms.`));
  }

  private interrupt(reason: unknown): void {
    this.runInContext(() => this.interruption.request(reason));
  }
}
