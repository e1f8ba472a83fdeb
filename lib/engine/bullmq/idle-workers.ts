import type { IQueueBackend } from 'bullmq';
import type { EarlyRequest } from './patched-early-request.js';

/** The workers of this process for which it may make an early request, with what their driver has to know of each. */
export class IdleWorkers<W extends { readonly early: EarlyRequest }> {
  private readonly workers = new Map<string, readonly W[]>();

  /** Adds a worker until its backend is closed. */
  add(queue: string, backend: Pick<IQueueBackend, 'close'>, worker: W): void {
    this.workers.set(queue, [...this.of(queue), worker]);
    const close = backend.close.bind(backend);
    backend.close = (force) => {
      this.workers.set(
        queue,
        this.of(queue).filter((one) => one !== worker),
      );
      return close(force);
    };
  }

  /** A worker of the queue that waits for a job. */
  find(queue: string): W | undefined {
    return this.of(queue).find(({ early }) => early.isPossible);
  }

  private of(queue: string): readonly W[] {
    return this.workers.get(queue) ?? [];
  }
}
