import type { RedisQueueBackend } from 'bullmq';
import { IdleWait, type IdleWaitDeps } from './patched-idle-wait.js';

/** The workers of this process that may ask for a job in the packet that stores it. */
export class IdleWorkers {
  private readonly waits = new Map<string, readonly IdleWait[]>();

  add(queue: string, backend: RedisQueueBackend, deps: IdleWaitDeps): IdleWait {
    const wait = new IdleWait(backend, deps);
    this.waits.set(queue, [...this.of(queue), wait]);
    const close = backend.close.bind(backend);
    backend.close = (force) => {
      this.waits.set(
        queue,
        this.of(queue).filter((one) => one !== wait),
      );
      return close(force);
    };
    return wait;
  }

  /** A worker of the queue that waits for a job. */
  find(queue: string): IdleWait | undefined {
    return this.of(queue).find(({ isIdle }) => isIdle);
  }

  private of(queue: string): readonly IdleWait[] {
    return this.waits.get(queue) ?? [];
  }
}
