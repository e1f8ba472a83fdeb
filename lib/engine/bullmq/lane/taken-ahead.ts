/** What BullMQ's worker gets when it asks for a job: the job and its id, the end of a rate limit, the time of the next job. */
export type NextJob = unknown[];

/** Milliseconds for which a job waits for the worker, which normally asks for it in the same turn of the event loop. */
const PATIENCE = 100;

/**
 * Jobs that were taken for places of the worker that it has not filled yet. They lie here under the tokens with which the worker
 * is about to ask for them. A job that it does not ask for, because it closes for example, is given back.
 */
export class TakenAhead {
  private readonly jobs = new Map<string, NextJob>();
  private timer: NodeJS.Timeout | undefined;

  /** @param giveBack puts a job back into its queue */
  constructor(private readonly giveBack: (id: string, token: string) => Promise<unknown>) {}

  get isEmpty(): boolean {
    return this.jobs.size === 0;
  }

  add(token: string, job: NextJob): void {
    this.jobs.set(token, job);
    this.timer ??= setTimeout(() => void this.clear(), PATIENCE);
  }

  hand(token: string): NextJob | undefined {
    const job = this.jobs.get(token);
    if (job && this.jobs.delete(token) && this.isEmpty) this.stopTimer();
    return job;
  }

  /** Gives all jobs back. A job that cannot be given back is taken over by another worker when its lock ends. */
  async clear(): Promise<void> {
    this.stopTimer();
    const jobs = [...this.jobs];
    this.jobs.clear();
    await Promise.allSettled(jobs.map(([token, [, id]]) => this.giveBack(id as string, token)));
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
