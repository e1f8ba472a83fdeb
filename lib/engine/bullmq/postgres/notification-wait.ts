import type { PostgresQueueBackend } from 'bullmq';
import type { EndableWait } from '../patched-early-request.js';

/** How the wait of BullMQ's backend for a notification ends; `undefined` while it does not wait. It is private. */
interface Inside {
  readonly cancelWait?: () => void;
}

/** The wait of an idle worker for a notification of the server. Each notification reaches all workers, so none gets lost by its end. */
export class NotificationWait implements EndableWait {
  private readonly backend: Inside;

  constructor(backend: PostgresQueueBackend) {
    this.backend = backend as unknown as Inside;
  }

  get isOpen(): boolean {
    return this.backend.cancelWait !== undefined;
  }

  end(): void {
    this.backend.cancelWait?.();
  }
}
