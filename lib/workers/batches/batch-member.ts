import type { Delivery } from '../../engine/ports/worker-port.js';
import { RunLog } from '../run-log.js';
import { TimeLimit } from '../time-limit.js';

/** A call that waits for its batch, or runs in it. */
export class BatchMember {
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
   * @param args the arguments that the call was enqueued with
   * @param onListenerError called with an error that a listener of the call's signal throws
   */
  constructor(
    readonly delivery: Delivery,
    public args: readonly unknown[],
    onListenerError: (error: unknown) => void,
  ) {
    this.log = new RunLog(delivery.log);
    this.limit = new TimeLimit(delivery.interruption, undefined, { onListenerError });
    this.returned = new Promise<unknown>((resolve, reject) => {
      this.resolveReturned = resolve;
      this.rejectReturned = reject;
    });
    // Nothing waits for it before the call is in a batch.
    this.returned.catch(() => undefined);
    // A call that is interrupted while its batch runs has 250 ms, as any attempt has.
    this.limit.whenOverdue(this.rejectReturned);
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

  endAs(end: PromiseSettledResult<unknown>): void {
    if (end.status === 'fulfilled') this.resolveReturned(end.value);
    else this.rejectReturned(end.reason);
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

  /** Decides about this call alone. The first decision stays. */
  decide(error: unknown): void {
    this.decision ??= { error };
  }
}
