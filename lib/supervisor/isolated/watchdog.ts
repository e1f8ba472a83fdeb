import { Worker } from 'node:worker_threads';

/** Milliseconds between two checks. */
const INTERVAL = 100;
/** Milliseconds that this process has to end by itself once its parent is gone. One that computes does not. */
const PATIENCE = 1_500;
/** The file descriptor on which the parent reads the memory for which this process was ended. */
const REPORT = 4;

/** Runs in a thread of its own, which goes on while the process computes. The thread has neither loaders nor modules of the application. */
const SCRIPT = `
const { writeSync } = require('node:fs');
const { workerData: { parent, limit, interval, patience, report } } = require('node:worker_threads');
const end = () => process.kill(process.pid, 'SIGKILL');
const timer = setInterval(() => {
  if (process.ppid !== parent) {
    clearInterval(timer);
    setTimeout(end, Atomics.load(limit, 1) === 1 ? 0 : patience);
    return;
  }
  const most = Atomics.load(limit, 0);
  if (most === 0) return;
  const memory = process.memoryUsage.rss();
  if (memory <= most * 1024) return;
  try { writeSync(report, String(memory)); } catch {}
  end();
}, interval);
`;

/**
 * Ends this process when its parent has ended, or when it takes too much memory, also while it computes: no message reaches it then, and
 * no timer fires.
 */
export class Watchdog {
  /** Kilobytes of resident memory, 0 for no limit; whether a task runs, whose outcome nothing can store without the parent. */
  private readonly shared = new Int32Array(new SharedArrayBuffer(8));

  constructor(parent: number) {
    const thread = new Worker(SCRIPT, {
      eval: true,
      workerData: { parent, limit: this.shared, interval: INTERVAL, patience: PATIENCE, report: REPORT },
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2, codeRangeSizeMb: 2, stackSizeMb: 1 },
    });
    // A process without this thread still hears of the end of its parent, unless it computes.
    thread.on('error', () => undefined);
    thread.unref();
  }

  /** A task begins, with this limit of resident memory in bytes, `undefined` for none. */
  begin(memory: number | undefined): void {
    Atomics.store(this.shared, 0, memory === undefined ? 0 : Math.floor(memory / 1024));
    Atomics.store(this.shared, 1, 1);
  }

  /** The task has ended. */
  end(): void {
    Atomics.store(this.shared, 0, 0);
    Atomics.store(this.shared, 1, 0);
  }
}
