import { parseDuration } from '../../duration.js';
import type { Delivery } from '../../engine/ports/worker-port.js';
import type { BatchCall } from '../../tasks/task-batch.js';
import { thrownText } from '../../thrown-text.js';
import { NoMoreAttempts, RunAgainLater } from '../run-decisions.js';
import { RunLog } from '../run-log.js';
import { TimeLimit } from '../time-limit.js';

/** A call that waits for its batch, or runs in it. */
export class BatchMember {
  /** What the method of the task gets. */
  readonly call: BatchCall;
  /** The arguments; those of the delivery until guards, pipes and schema have changed them. */
  args: readonly unknown[];
  readonly log: RunLog;
  readonly limit: TimeLimit;
  /** Resolves with what the method returned for this call, and rejects with the reason why there is nothing. */
  readonly returned: Promise<unknown>;
  private resolveReturned!: (value: unknown) => void;
  private rejectReturned!: (reason: unknown) => void;
  private decision: { readonly error: unknown } | undefined;
  private reasonNotToRun: 'given back' | 'too late' | undefined;

  /**
   * @param delivery one attempt of the call
   * @param onListenerError called with an error that a listener of the call's signal throws
   */
  constructor(
    readonly delivery: Delivery,
    onListenerError: (error: unknown) => void,
  ) {
    this.args = delivery.args ?? [];
    this.log = new RunLog(delivery.log);
    this.limit = new TimeLimit(delivery.interruption, undefined, { onListenerError });
    const returned = new Promise<unknown>((resolve, reject) => {
      this.resolveReturned = resolve;
      this.rejectReturned = reject;
    });
    // A call that is interrupted while its batch runs has 250 ms, as any attempt has.
    this.returned = this.limit.race(
      () => returned,
      (body) => body(),
    );
    // Nothing waits for it before the call is in a batch.
    this.returned.catch(() => undefined);
    this.call = this.toCall();
  }

  /** Why the attempt of this call has to end; `undefined` when it may go on. */
  get reason(): unknown {
    return this.limit.reason;
  }

  /** What the method decided about this call alone; `undefined` for nothing. */
  get decided(): { readonly error: unknown } | undefined {
    return this.decision;
  }

  /** Why the call was in no batch: this process closes, or there was no place before the call expired. */
  get notRun(): 'given back' | 'too late' | undefined {
    return this.reasonNotToRun;
  }

  resolve(value: unknown): void {
    this.resolveReturned(value);
  }

  reject(error: unknown): void {
    this.rejectReturned(error);
  }

  leaveOut(reason: 'given back' | 'too late'): void {
    this.reasonNotToRun = reason;
    this.rejectReturned(undefined);
  }

  /** The attempt of this call has ended. */
  close(): void {
    this.log.close();
    this.limit.clear();
  }

  private toCall(): BatchCall {
    const { id, headers, attempt, item } = this.delivery;
    const args = () => this.args;
    const signal = () => this.limit.interruption.signal;
    return {
      // The items of a map are calls of one task, and a method may store their rows under their ids.
      id: item === undefined ? id : `${id}:${item}`,
      headers,
      attempt,
      get args() {
        return args();
      },
      get signal() {
        return signal();
      },
      fail: (error) => {
        this.decision ??= {
          // One call must not make its batch fail, whatever its error does when it is looked at.
          error:
            typeof error === 'string' ? new NoMoreAttempts(error) : new NoMoreAttempts(thrownText(error), { error }),
        };
      },
      retry: ({ in: delay }) => {
        this.decision ??= { error: new RunAgainLater(parseDuration(delay, 'retry({ in })')) };
      },
    };
  }
}
