import { Durations } from '../engine/statistics/durations.js';

/** Milliseconds between two measurements of the delay. */
const INTERVAL = 100;

/**
 * Measures how busy this process is. Node's own `monitorEventLoopDelay` aborts a process whose realm ends while it measures, as
 * that of a test that leaves its application open.
 */
export class ProcessLoad {
  private delays = new Durations();
  private last = 0;
  private timer: NodeJS.Timeout | undefined;

  start(): void {
    this.last = performance.now();
    this.timer ??= setInterval(() => this.measure(), INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** The load since the last call: by how many milliseconds timers were late (99th percentile), and the resident memory in bytes. */
  take(): { readonly eventLoopDelay: number; readonly memory: number } {
    const eventLoopDelay = this.delays.percentile(0.99) ?? 0;
    this.delays = new Durations();
    return { eventLoopDelay, memory: process.memoryUsage.rss() };
  }

  private measure(): void {
    const now = performance.now();
    this.delays.add(now - this.last - INTERVAL);
    this.last = now;
  }
}
