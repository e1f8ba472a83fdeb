import type { Cause, HeaderChanges, Instrumentations } from './instrumentation.js';
import type { ClockPort } from './ports/clock-port.js';
import type { EnqueuePort } from './ports/enqueue-port.js';
import type { Delivery } from './ports/worker-port.js';
import type { Headers, Receipt, TaskCall, TaskTree } from './task.js';

/**
 * Stores calls through another port, inside of the instrumentations of the application. It wraps any port that stores calls. Without
 * an instrumentation it only passes the calls on.
 */
export class InstrumentedEnqueue implements EnqueuePort, ClockPort {
  constructor(
    private readonly next: EnqueuePort & ClockPort,
    private readonly instrumentations: Instrumentations,
  ) {}

  now(): number {
    return this.next.now();
  }

  isStored(call: TaskCall): Promise<boolean> {
    return this.next.isStored(call);
  }

  untilTimeKnown(): Promise<void> | undefined {
    return this.next.untilTimeKnown?.();
  }

  /** @param cause why this package stores the calls by itself; absent when the application does */
  enqueue(calls: readonly TaskCall[], cause?: Cause): Promise<Receipt[]> {
    return this.instrumentations.ignoresCalls ? this.next.enqueue(calls) : this.storeCalls(calls, cause);
  }

  /** @param cause why this package stores the tree by itself; absent when the application does */
  enqueueTree(tree: TaskTree, cause?: Cause): Promise<Receipt> {
    return this.instrumentations.ignoresCalls ? this.next.enqueueTree(tree) : this.storeTree(tree, cause);
  }

  /**
   * The members that a running task gets, as the engine has to store them. The engine stores them itself, together with the outcome
   * of the run.
   */
  membersOf(cause: Delivery, members: readonly TaskTree[]): readonly TaskTree[] | Promise<readonly TaskTree[]> {
    return this.instrumentations.ignoresCalls || members.length === 0 ? members : this.changeMembers(cause, members);
  }

  private async storeCalls(calls: readonly TaskCall[], cause: Cause | undefined): Promise<Receipt[]> {
    const receipts = await this.instrumentations.store({ calls, ...(cause && { cause }) }, (headers) =>
      this.next.enqueue(calls.map((call) => ({ ...call, headers: changed(call.headers, headers) }))),
    );
    return [...receipts];
  }

  private async storeTree(tree: TaskTree, cause: Cause | undefined): Promise<Receipt> {
    const [receipt] = await this.instrumentations.store({ calls: [tree], ...(cause && { cause }) }, async (headers) => [
      await this.next.enqueueTree(changedTree(tree, headers)),
    ]);
    return receipt as Receipt;
  }

  private async changeMembers(cause: Delivery, members: readonly TaskTree[]): Promise<readonly TaskTree[]> {
    let result = members;
    await this.instrumentations.store({ calls: members, cause }, async (headers) => {
      result = members.map((member) => changedTree(member, headers));
      return [];
    });
    return result;
  }
}

function changedTree(tree: TaskTree, changes: HeaderChanges): TaskTree {
  return {
    ...tree,
    headers: changed(tree.headers, changes),
    members: tree.members.map((member) => changedTree(member, changes)),
  };
}

function changed(headers: Headers, changes: HeaderChanges): Headers {
  const merged: Record<string, string> = { ...headers };
  for (const name of Object.keys(changes)) {
    const value = changes[name];
    if (value === undefined) delete merged[name];
    else merged[name] = value;
  }
  return merged;
}
