import type { Instrumentations } from '../../engine/instrumentation.js';
import { Interruption } from '../../engine/interruption.js';
import type { Json } from '../../engine/json.js';
import type { TransactionAdapter } from '../../engine/ports/transaction-port.js';
import type { Completion, Delivery, DeliveryHandler } from '../../engine/ports/worker-port.js';
import { toFailure } from '../../workers/failure.js';
import type { RunOutcome } from '../../workflows/run-outcome.js';
import type { ApplicationSetup } from '../application-setup.js';
import type { ParentLink } from '../isolated-process.js';
import type { SentRun, ToChild } from '../messages.js';
import { fromSentError } from '../sent-error.js';
import type { ParentConnection } from './parent-connection.js';

export interface ChildWorkerDeps {
  readonly link: ParentLink;
  readonly parent: ParentConnection;
  readonly executor: DeliveryHandler<RunOutcome>;
  readonly instrumentations: Pick<Instrumentations, 'resume'>;
  readonly setup: () => ApplicationSetup;
}

/** Runs the attempts that the parent process sends, one at a time, and sends their outcomes. */
export class ChildWorker {
  private current: { readonly run: number; readonly interruption: Interruption } | undefined;

  constructor(private readonly deps: ChildWorkerDeps) {
    deps.link.onMessage((message) => this.handle(message));
  }

  /** What this process declares now, for the parent to compare with its own. */
  setup(): ApplicationSetup {
    return this.deps.setup();
  }

  private handle(message: ToChild): void {
    if (this.deps.parent.handle(message)) return;
    if (message.type === 'run') void this.run(message);
    else if (message.type === 'interrupt' && message.run === this.current?.run)
      this.current.interruption.request(fromSentError(message.reason));
  }

  private async run(sent: SentRun): Promise<void> {
    const { link, parent, executor, instrumentations } = this.deps;
    const { run } = sent;
    parent.clockOffset = sent.clockOffset;
    parent.dialects = sent.dialects;
    parent.run = run;
    link.send({ type: 'begun', run });
    const interruption = new Interruption();
    this.current = { run, interruption };
    const delivery = this.deliveryOf(sent, interruption);
    const outcome = await instrumentations
      .resume(sent.carried, () => executor.handle(delivery))
      // Nothing of a task makes the executor reject, but an instrumentation may.
      .catch((error: unknown): RunOutcome => ({ kind: 'failed', failure: toFailure(error) }));
    this.current = undefined;
    parent.run = undefined;
    link.send({ type: 'ended', run, outcome });
  }

  private deliveryOf({ run, delivery, canComplete }: SentRun, interruption: Interruption): Delivery {
    const { link, parent } = this.deps;
    const call = async (method: string, ...args: unknown[]) => {
      await parent.call('delivery', method, args, run);
    };
    return {
      ...delivery,
      memberCount: 0,
      members: async () => [],
      failedMember: async () => undefined,
      started: () => link.send({ type: 'started', run }),
      mark: () => undefined,
      markBefore: () => undefined,
      interruption,
      progress: (value) => call('progress', value),
      log: (text, level) => call('log', text, level),
      ...(canComplete && { completion: this.completionOf(call) }),
    };
  }

  /** The parent knows whether the success is stored, and waits for the end of the transaction. */
  private completionOf(call: (method: string, ...args: unknown[]) => Promise<void>): Completion {
    const { parent } = this.deps;
    return {
      isUsed: false,
      completeIn: (transaction: TransactionAdapter, result: Json | undefined) =>
        parent.callIn(transaction, (sent) => call('completeIn', sent, result)),
      settle: async () => undefined,
    };
  }
}
