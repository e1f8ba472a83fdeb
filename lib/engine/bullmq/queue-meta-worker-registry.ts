import { isRemembered, type WorkerRecord, type WorkerRegistry } from '../ports/worker-registry.js';
import type { QueueMeta } from './queue-meta.js';

/** The number of the form of a record. A process leaves records with a higher number alone. */
const FORMAT = 1;

/** Keeps a record for each worker in the metadata of a queue in which no task waits. */
export class QueueMetaWorkerRegistry implements WorkerRegistry {
  constructor(
    private readonly meta: QueueMeta,
    private readonly now: () => number,
  ) {}

  async publish(worker: Omit<WorkerRecord, 'seenAt'>): Promise<void> {
    await this.meta.set({ [worker.id]: JSON.stringify({ format: FORMAT, ...worker, seenAt: this.now() }) });
  }

  async list(): Promise<WorkerRecord[]> {
    const workers: WorkerRecord[] = [];
    const forgotten: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.meta.scan(cursor);
      for (const [key, text] of page.texts) {
        const worker = parseWorker(text);
        if (worker && isRemembered(worker, this.now())) workers.push(worker);
        else if (worker) forgotten.push(key);
      }
      cursor = page.next;
    } while (cursor !== undefined);
    if (forgotten.length > 0) await this.meta.delete(forgotten);
    return workers;
  }

  async withdraw(id: string): Promise<void> {
    await this.meta.delete([id]);
  }
}

/** @returns `undefined` for a text that is no record of this form: any client of the store may write any text */
function parseWorker(text: string): WorkerRecord | undefined {
  let value: Partial<Record<keyof WorkerRecord | 'format', unknown>> | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || value.format !== FORMAT) return undefined;
  const { id, application, host, pid, version, startedAt, seenAt, queues, tasks, schedules, concurrency } = value;
  if (typeof id !== 'string' || typeof host !== 'string' || typeof version !== 'string') return undefined;
  if (application !== undefined && typeof application !== 'string') return undefined;
  if (typeof pid !== 'number' || typeof startedAt !== 'number' || typeof seenAt !== 'number') return undefined;
  if (!isNames(queues) || !isNames(tasks) || !isNames(schedules)) return undefined;
  if (typeof concurrency !== 'object' || concurrency === null) return undefined;
  const { tasksOfQueues } = value;
  return {
    ...{ id, application, host, pid, version, startedAt, seenAt, queues, tasks, schedules },
    concurrency: concurrency as Record<string, number>,
    ...(isNamesByQueue(tasksOfQueues) && { tasksOfQueues }),
  };
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

function isNamesByQueue(value: unknown): value is Record<string, string[]> {
  return typeof value === 'object' && value !== null && Object.values(value).every(isNames);
}
