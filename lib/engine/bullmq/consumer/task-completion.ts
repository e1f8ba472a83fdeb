import { setTimeout as sleep } from 'node:timers/promises';
import { EngineUnavailableError, WorkerLostError } from '../../../errors.js';
import type { Json } from '../../json.js';
import type { TransactionAdapter } from '../../ports/transaction-port.js';
import type { CompletedTask, Completion } from '../../ports/worker-port.js';
import type { JobCompletions } from '../job-transactions.js';
import type { JobRef } from '../stored-jobs.js';

/** Milliseconds between two looks at a transaction that is open: the first and the longest pause. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [5, 200];
/** Milliseconds after which the server has refused an abandoned transaction for certain. */
const REFUSED_WITHIN = 1_000;

export interface TaskCompletionDeps {
  readonly completions: JobCompletions;
  /** Belongs to this store alone. */
  readonly secret: () => Promise<string>;
  /** Milliseconds that a call may take. */
  readonly timeout: number;
  readonly abandonedAfter: number;
}

/** Stores the success of one attempt in a transaction of the application. */
export class TaskCompletion implements Completion {
  private readonly transactions: string[] = [];
  /** The time until which a transaction may commit, by `performance.now()`. */
  private until = 0;
  private settling: Promise<CompletedTask | undefined> | undefined;

  /** @param earlier the success that an earlier attempt has committed */
  constructor(
    private readonly deps: TaskCompletionDeps,
    private readonly job: JobRef,
    private readonly token: string,
    readonly earlier?: CompletedTask | undefined,
  ) {}

  get isUsed(): boolean {
    return this.transactions.length > 0;
  }

  async completeIn(transaction: TransactionAdapter, result: Json | undefined): Promise<void> {
    const { completions, timeout, abandonedAfter } = this.deps;
    const secret = await this.deps.secret();
    const until = performance.now() + abandonedAfter;
    const { job, token } = this;
    const request = { ...job, token, result: result ?? null, secret, timeout, abandonedAfter };
    const answer = await completions.complete(transaction, request);
    const refused = 'refused' in answer ? answer.refused : undefined;
    if (refused === 'busy') {
      throw new EngineUnavailableError(
        `completeIn(): another attempt of task ${job.id} has a transaction open, which has not ended within ${timeout} ms.`,
      );
    }
    if (refused === 'lost')
      throw new WorkerLostError(
        `completeIn(): the attempt of task ${job.id} has ended, or another worker has the task.`,
      );
    if (refused === 'done')
      throw new WorkerLostError(
        `completeIn(): the success of task ${job.id} is stored already. Call it once in a task.`,
      );
    if ('transaction' in answer) this.transactions.push(answer.transaction);
    this.until = until;
    this.settling = undefined;
  }

  settle(): Promise<CompletedTask | undefined> {
    this.settling ??= this.wait();
    return this.settling;
  }

  private async wait(): Promise<CompletedTask | undefined> {
    const { completions } = this.deps;
    for (
      let pause = FIRST_PAUSE;
      await completions.isOpen(this.transactions);
      pause = Math.min(pause * 2, LONGEST_PAUSE)
    ) {
      if (performance.now() > this.until + REFUSED_WITHIN) break;
      await sleep(pause);
    }
    return completions.find(this.job);
  }
}
