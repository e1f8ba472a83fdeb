import { setTimeout as wait } from 'node:timers/promises';

/** Milliseconds until the first attempt to store jobs whose keys were locked; the pause doubles up to the longest. */
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 100;

export interface JobsBehindKeysDeps<J> {
  /**
   * Stores jobs, or rejects their callers.
   *
   * @returns the jobs whose keys another transaction has locked still
   */
  readonly store: (jobs: readonly J[]) => Promise<readonly J[]>;
  /** Called when a key stayed locked for {@link timeout}. */
  readonly giveUp: (job: J) => void;
  /** Milliseconds for which a job waits for its key. */
  readonly timeout: number;
  /** The most jobs that are stored together. */
  readonly size: number;
}

/**
 * The jobs of a queue whose keys are locked by transactions that have not ended. They are tried again and again, all in one
 * statement: a statement that waits for a lock would need a connection for each key, and would hold up the jobs that are stored with it.
 */
export class JobsBehindKeys<J> {
  private waiting: { readonly job: J; readonly until: number }[] = [];
  private isRunning = false;
  private pause = FIRST_PAUSE;

  constructor(private readonly deps: JobsBehindKeysDeps<J>) {}

  add(jobs: readonly J[]): void {
    if (jobs.length === 0) return;
    const until = performance.now() + this.deps.timeout;
    this.waiting.push(...jobs.map((job) => ({ job, until })));
    this.pause = FIRST_PAUSE;
    if (!this.isRunning) void this.run();
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    while (this.waiting.length > 0) {
      await wait(this.pause);
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
      // Those that come meanwhile have their turn in the next round.
      const round = this.waiting;
      this.waiting = [];
      for (let start = 0; start < round.length; start += this.deps.size)
        await this.tryAgain(round.slice(start, start + this.deps.size));
    }
    this.isRunning = false;
  }

  private async tryAgain(some: typeof this.waiting): Promise<void> {
    const locked = new Set(await this.deps.store(some.map(({ job }) => job)));
    const now = performance.now();
    for (const one of some) {
      if (!locked.has(one.job)) continue;
      if (now < one.until) this.waiting.push(one);
      else this.deps.giveUp(one.job);
    }
  }
}
