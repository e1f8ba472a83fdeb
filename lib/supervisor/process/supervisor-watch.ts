import { Worker } from 'node:worker_threads';

/** Milliseconds between two looks at the parent of this process. */
const INTERVAL = 200;
/** Milliseconds that this process has to end by itself once its supervisor is gone. */
const PATIENCE = 2_500;

/** Runs in a thread of its own, which goes on while the process computes. The thread has neither loaders nor modules of the application. */
const SCRIPT = `
const { workerData: { supervisor, interval, patience } } = require('node:worker_threads');
const timer = setInterval(() => {
  if (process.ppid === supervisor) return;
  clearInterval(timer);
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), patience);
}, interval);
`;

/** Ends this process soon after its supervisor has ended, also while it computes: no message reaches it then. */
export function endWithSupervisor(supervisor: number): void {
  const thread = new Worker(SCRIPT, {
    eval: true,
    workerData: { supervisor, interval: INTERVAL, patience: PATIENCE },
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2, codeRangeSizeMb: 2, stackSizeMb: 1 },
  });
  // A process without this thread still hears of the end of its supervisor, unless it computes.
  thread.on('error', () => undefined);
  thread.unref();
}
