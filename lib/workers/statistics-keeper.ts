import type { Engine } from '../engine/engine.js';
import type { WorkerPresence } from './worker-presence.js';

/** Milliseconds between two merges of what the processes have counted. */
const INTERVAL = 60_000;

export interface StatisticsKeeperDeps {
  readonly engine: Pick<Engine, 'statistics'>;
  readonly presence: Pick<WorkerPresence, 'isOldest'>;
}

/** Merges the statistics of all processes, as long as this process is the oldest worker: only one may do that at a time. */
export class StatisticsKeeper {
  private timer: NodeJS.Timeout | undefined;
  private merging: Promise<void> | undefined;

  constructor(private readonly deps: StatisticsKeeperDeps) {}

  start(): void {
    this.timer ??= setInterval(() => void this.keep(), INTERVAL).unref();
  }

  /** Waits for the merge that is under way. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.merging;
  }

  private async keep(): Promise<void> {
    this.merging ??= this.merge().finally(() => (this.merging = undefined));
    await this.merging;
  }

  private async merge(): Promise<void> {
    try {
      if (await this.deps.presence.isOldest()) await this.deps.engine.statistics.merge();
    } catch {
      // The engine cannot be reached, and logs that itself. The next merge does the rest.
    }
  }
}
