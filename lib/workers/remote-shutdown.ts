import type { ShutdownRequest } from '../engine/ports/worker-registry.js';
import { PackageLogger } from '../package-logger.js';

/** The signals for which a process asks the operating system, and the number of listeners that the process has for each. */
export interface SignalTarget {
  readonly pid: number;
  listenerCount(signal: 'SIGTERM'): number;
  kill(pid: number, signal: 'SIGTERM'): void;
}

export interface RemoteShutdownDeps {
  /** Takes no more tasks, waits for the running ones and gives back the rest, as when the application closes. */
  readonly stopWorkers: (grace: number | undefined) => Promise<void>;
  readonly process: SignalTarget;
}

/**
 * Shuts this process down because an administrator asks for it. The workers stop first, with the grace of the request. Then the process
 * gets SIGTERM, so that everything else ends as it does in a deploy. A process that does not listen for SIGTERM would be killed by it
 * in the middle of other work, so it goes on without taking tasks, and says so.
 */
export class RemoteShutdown {
  private readonly logger = new PackageLogger();
  private isBegun = false;

  constructor(private readonly deps: RemoteShutdownDeps) {}

  /** Only the first request counts. */
  async begin({ by, reason, grace }: ShutdownRequest): Promise<void> {
    if (this.isBegun) return;
    this.isBegun = true;
    const { process, stopWorkers } = this.deps;
    this.logger.log(`${by} shuts this process down${reason === null ? '' : `: ${reason}`}.`);
    await stopWorkers(grace);
    if (process.listenerCount('SIGTERM') > 0) return process.kill(process.pid, 'SIGTERM');
    this.logger.warn(
      'This process takes no more tasks, but it goes on: its application does not listen for SIGTERM. Call ' +
        'app.enableShutdownHooks() when the application starts, so that such a process ends.',
    );
  }
}
