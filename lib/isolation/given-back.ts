import type { CommandPort } from '../engine/ports/command-port.js';

/** Milliseconds for which a task is put back that found no free child; more with each task that was put back before it. */
const [DELAY, MORE_FOR_EACH, LONGEST_DELAY] = [500, 100, 30_000];
/** Tasks that are remembered. Those that are forgotten wait for their time. */
const MOST = 1_000;

/**
 * The tasks that this process has put back because none of its children was free. Once one is, the first of them is made due at once. Until
 * then the other tasks of their queue run.
 */
export class GivenBack {
  private readonly ids = new Set<string>();
  private isPromoting = false;

  constructor(
    private readonly engine: Pick<CommandPort, 'promote'>,
    /** Whether a child is free. */
    private readonly isFree: () => boolean,
  ) {}

  /** @returns the milliseconds for which the task is put back */
  add(id: string): number {
    this.ids.delete(id);
    const delay = Math.min(DELAY + MORE_FOR_EACH * this.ids.size, LONGEST_DELAY);
    if (this.ids.size < MOST) this.ids.add(id);
    return delay;
  }

  /** The task runs, here or elsewhere. */
  remove(id: string): void {
    this.ids.delete(id);
  }

  /** A child is free, perhaps. */
  async promoteFirst(): Promise<void> {
    if (this.isPromoting) return;
    this.isPromoting = true;
    try {
      while (this.isFree()) {
        const [id] = this.ids;
        if (id === undefined) return;
        this.ids.delete(id);
        // Another process may have taken it, or it has become due by itself.
        const isDue = await this.engine.promote(id).catch(() => undefined);
        if (isDue) return;
      }
    } finally {
      this.isPromoting = false;
    }
  }
}
