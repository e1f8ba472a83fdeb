import { readMessage, toMessage } from '../../process-message.js';
import type { Order, Report } from '../messages.js';
import { endWithSupervisor } from './supervisor-watch.js';
import { WorkerProcess } from './worker-process.js';

/** The program of a process that a supervisor starts. It gets its job in the first message. */

let running: WorkerProcess | undefined;

/** Resolves once the message is sent, or cannot be: the supervisor is gone then, which `disconnect` reports. */
function send(report: Report): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || !process.send) return resolve();
    process.send(toMessage(report), undefined, undefined, () => resolve());
  });
}

process.on('message', (received: unknown) => {
  const order = readMessage<Order>(received);
  if (!order) return;
  if (order.type === 'run') {
    endWithSupervisor(order.job.supervisor);
    running = new WorkerProcess(order.job, { send, exit: (code) => process.exit(code) });
    void running.run();
  } else if (order.type === 'stop') {
    void running?.stop('asked', order.grace);
  } else if (order.type === 'metrics') {
    void running?.sendFigures(order.id);
  } else {
    void running?.sendHealth(order.id);
  }
});

// Without its supervisor no process stops this one, so it gives back its tasks and ends.
process.once('disconnect', () => void (running?.stop('signal', 0) ?? process.exit(0)));
// A service manager sends SIGTERM to all processes of a service, or an administrator to this one.
process.on('SIGTERM', () => void (running?.stop('signal') ?? process.exit(0)));
// The terminal sends them to all of its processes, and the supervisor decides what they mean.
process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);
