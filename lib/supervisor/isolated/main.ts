import { setPriority } from 'node:os';
import type { ChildWorker } from '../../isolation/child/child-worker.js';
import { ISOLATED_WORKER } from '../../isolation/isolated-process.js';
import type { FromChild, ToChild } from '../../isolation/messages.js';
import { readMessage, toMessage } from '../../process-message.js';
import { bootChild } from './boot-child.js';
import { Watchdog } from './watchdog.js';

/** The program of a child process for isolated tasks. It gets its job in the first message. */

/** Lower than that of its parent, so that tasks that compute leave the parent the processor. */
const PRIORITY = 10;
/** Milliseconds that the application has to close once the parent is gone. */
const CLOSE_LIMIT = 1_000;

const received: ToChild[] = [];
let listener: (message: ToChild) => void = (message) => void received.push(message);
let watchdog: Watchdog | undefined;
let closeApplication: () => Promise<unknown> = async () => undefined;

function send(message: FromChild): void {
  if (message.type === 'ended') watchdog?.end();
  if (process.connected) process.send?.(toMessage(message), undefined, undefined, () => undefined);
}

/** The last message has to arrive before the process ends. */
function sendLast(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || !process.send) return resolve();
    process.send(toMessage(message), undefined, undefined, () => resolve());
  });
}

async function boot(job: Extract<ToChild, { type: 'boot' }>['job']): Promise<void> {
  watchdog = new Watchdog(job.parent);
  try {
    const app = await bootChild(job, {
      clockOffset: job.clockOffset,
      send,
      onMessage(handle) {
        listener = handle;
        for (const message of received.splice(0)) handle(message);
      },
    });
    closeApplication = () => app.close();
    lowerPriority();
    // The worker of an older version of this package has no setup.
    const worker = app.get<Partial<Pick<ChildWorker, 'setup'>>>(ISOLATED_WORKER, { strict: false });
    send({ type: 'ready', memory: process.memoryUsage.rss(), setup: worker.setup?.() });
  } catch (error) {
    await sendLast({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    process.exit(1);
  }
}

/** After the boot, for which the parent waits. */
function lowerPriority(): void {
  try {
    setPriority(PRIORITY);
  } catch {
    // Not allowed here. The tasks run with the priority of the parent.
  }
}

async function close(): Promise<void> {
  await closeApplication().catch((error: unknown) => console.error(error));
  process.exit(0);
}

process.on('message', (sent: unknown) => {
  const message = readMessage<ToChild>(sent);
  if (!message) return;
  if (message.type === 'boot') void boot(message.job);
  else if (message.type === 'close') void close();
  else {
    if (message.type === 'run') watchdog?.begin(message.memory);
    listener(message);
  }
});
// The parent is gone, and with it the task that runs here: another process runs it again.
process.once('disconnect', () => {
  setTimeout(() => process.exit(0), CLOSE_LIMIT);
  void close();
});
// A terminal and a service manager send them to all processes. The parent decides what they mean for the task.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
