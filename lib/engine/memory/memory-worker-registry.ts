import { isRemembered, type WorkerRecord, type WorkerRegistry } from '../ports/worker-registry.js';

/** The workers of one place. */
export class MemoryWorkerRegistry implements WorkerRegistry {
  /** @param open gives the workers by their ids; it throws once the application is closed */
  constructor(
    private readonly open: () => Map<string, WorkerRecord>,
    private readonly now: () => number,
  ) {}

  async publish(worker: Omit<WorkerRecord, 'seenAt'>): Promise<void> {
    this.open().set(worker.id, { ...worker, seenAt: this.now() });
  }

  async list(): Promise<WorkerRecord[]> {
    const workers = this.open();
    for (const worker of workers.values()) if (!isRemembered(worker, this.now())) workers.delete(worker.id);
    return [...workers.values()];
  }

  async withdraw(id: string): Promise<void> {
    this.open().delete(id);
  }
}
