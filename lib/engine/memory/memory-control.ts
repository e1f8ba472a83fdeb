import type { ControlPort, QueueSettings, RateLimit, Reason } from '../ports/control-port.js';

/** The settings of the queues of one place that have some. */
export type SettingsByQueue = Map<string, QueueSettings>;

export const NO_SETTINGS: QueueSettings = {
  paused: false,
  pausedBy: null,
  globalConcurrency: null,
  declaredConcurrency: null,
  rateLimit: null,
};

export interface MemoryControlDeps {
  /** Gives the settings of the place; it throws once the application is closed. */
  readonly open: () => SettingsByQueue;
  /** Called when the settings of a queue changed. @param limitIsGone the queue has no stored rate limit any more */
  readonly changed: (queue: string, limitIsGone: boolean) => void;
}

/** Keeps the settings of queues beside the tasks. */
export class MemoryControl implements ControlPort {
  constructor(private readonly deps: MemoryControlDeps) {}

  async settings(queues: readonly string[]): Promise<QueueSettings[]> {
    const settings = this.deps.open();
    return queues.map((queue) => settings.get(queue) ?? NO_SETTINGS);
  }

  async pause(queue: string, reason: Reason): Promise<void> {
    this.change(queue, { paused: true, pausedBy: reason });
  }

  async resume(queue: string): Promise<void> {
    this.change(queue, { paused: false, pausedBy: null });
  }

  async setGlobalConcurrency(queue: string, value: number | null, reason: Reason): Promise<void> {
    this.change(queue, { globalConcurrency: value === null ? null : { value, by: reason } });
  }

  /** What the number counts, the dispatcher sees by its consumers. */
  async declareGlobalConcurrency(queue: string, value: number | null): Promise<void> {
    const known = this.deps.open().get(queue) ?? NO_SETTINGS;
    if (value !== known.declaredConcurrency) this.change(queue, { declaredConcurrency: value });
  }

  async setRateLimit(queue: string, limit: RateLimit | null, reason: Reason): Promise<void> {
    this.change(queue, { rateLimit: limit && { value: limit, by: reason } });
  }

  private change(queue: string, change: Partial<QueueSettings>): void {
    const settings = this.deps.open();
    settings.set(queue, { ...(settings.get(queue) ?? NO_SETTINGS), ...change });
    this.deps.changed(queue, change.rateLimit === null);
  }
}
