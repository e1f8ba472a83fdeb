import {
  isRemembered,
  type ShutdownRequest,
  type WorkerRecord,
  type WorkerRegistry,
} from '../ports/worker-registry.js';

/** A worker of a place, what it was asked for, and what it calls then. */
export interface MemoryWorker {
  record?: WorkerRecord;
  shutdown?: ShutdownRequest;
  listener?: () => void;
}

/** The workers of one place. */
export class MemoryWorkerRegistry implements WorkerRegistry {
  /** @param open gives the workers by their ids; it throws once the application is closed */
  constructor(
    private readonly open: () => Map<string, MemoryWorker>,
    private readonly now: () => number,
  ) {}

  async publish(worker: Omit<WorkerRecord, 'seenAt'>): Promise<void> {
    this.change(worker.id, { record: { ...worker, seenAt: this.now() } });
  }

  async list(): Promise<WorkerRecord[]> {
    const workers = this.open();
    for (const [id, { record }] of workers) if (record && !isRemembered(record, this.now())) workers.delete(id);
    return [...workers.values()].flatMap(({ record }) => record ?? []);
  }

  async withdraw(id: string): Promise<void> {
    this.open().delete(id);
  }

  async requestShutdown(id: string, shutdown: ShutdownRequest): Promise<void> {
    this.change(id, { shutdown });
    const { listener } = this.open().get(id) ?? {};
    if (listener) setImmediate(listener);
  }

  async shutdownRequest(id: string): Promise<ShutdownRequest | undefined> {
    return this.open().get(id)?.shutdown;
  }

  follow(id: string, listener: () => void): () => void {
    this.change(id, { listener });
    return () => delete this.open().get(id)?.listener;
  }

  private change(id: string, change: MemoryWorker): void {
    const workers = this.open();
    workers.set(id, { ...workers.get(id), ...change });
  }
}
