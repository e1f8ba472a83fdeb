import type { RateLimit } from '../ports/control-port.js';
import type { Availability } from './availability.js';
import type { CheckedBus } from './checked-bus.js';
import {
  isRemembered,
  type ShutdownRequest,
  type WorkerLoad,
  type WorkerRecord,
  type WorkerRegistry,
} from '../ports/worker-registry.js';
import { PackageLogger } from '../../package-logger.js';
import { isObject, isTime } from './jobs/unreadable-job.js';
import type { QueueMeta } from './queue-meta.js';

/** The number of the form of a record. A process leaves records with a higher number alone. */
const FORMAT = 1;
/** The channel on which a worker hears that it was asked for something. */
const CHANNEL = 'worker-requests';

/** Keeps a record for each worker in the metadata of a queue in which no task waits. */
export class QueueMetaWorkerRegistry implements WorkerRegistry {
  private readonly logger = new PackageLogger();

  constructor(
    private readonly meta: QueueMeta,
    private readonly now: () => number,
    private readonly availability: Availability,
    private readonly bus: CheckedBus,
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
        if (isShutdownKey(key)) continue;
        const worker = parseWorker(text);
        if (worker === 'newer') continue;
        if (worker && isRemembered(worker, this.now())) workers.push(worker);
        else forgotten.push(key, shutdownKey(key));
        if (!worker) this.logger.warn(unreadableWorker(key));
      }
      cursor = page.next;
    } while (cursor !== undefined);
    if (forgotten.length > 0) await this.meta.delete(forgotten);
    return workers;
  }

  async withdraw(id: string): Promise<void> {
    await this.meta.delete([id, shutdownKey(id)]);
  }

  async requestShutdown(id: string, request: ShutdownRequest): Promise<void> {
    await this.meta.set({ [shutdownKey(id)]: JSON.stringify({ format: FORMAT, ...request }) });
    // The worker finds the request also without the message.
    await this.meta.withQueue(() => this.bus.publish(CHANNEL, { id })).catch(() => undefined);
  }

  async shutdownRequest(id: string): Promise<ShutdownRequest | undefined> {
    const [text] = await this.meta.get([shutdownKey(id)]);
    return text === undefined ? undefined : parseShutdown(text);
  }

  follow(id: string, listener: () => void): () => void {
    let stopped = false;
    let unsubscribe: (() => Promise<void>) | undefined;
    const subscribe = async () => {
      if (stopped) return;
      unsubscribe ??= await this.bus.subscribe(CHANNEL, {
        read: ({ id: of }) => (typeof of === 'string' ? of : undefined),
        receive: (of) => {
          if (of === id && !stopped) listener();
        },
        receiveNewer: () => undefined,
      });
      if (stopped) await unsubscribe();
    };
    void this.availability.whenReachable(subscribe).catch(() => undefined);
    return () => {
      stopped = true;
      void unsubscribe?.();
    };
  }
}

/** A live worker stores its record again with its next sign of life. */
function unreadableWorker(key: string): string {
  return `The record of the worker "${key}" cannot be read, because another program has changed it. It is removed.`;
}

/** @returns `undefined` for a text that is no record: any client of the store may write any text. `newer`: one of a later version */
function parseWorker(text: string): WorkerRecord | 'newer' | undefined {
  let value: Partial<Record<keyof WorkerRecord | 'format', unknown>> | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (typeof value.format === 'number' && value.format > FORMAT) return 'newer';
  const { id, application, host, pid, version, startedAt, seenAt, queues, tasks, schedules, concurrency } = value;
  if (value.format !== FORMAT || typeof id !== 'string' || typeof host !== 'string' || typeof version !== 'string')
    return undefined;
  if (application !== undefined && typeof application !== 'string') return undefined;
  if (typeof pid !== 'number' || !isTime(startedAt) || !isTime(seenAt)) return undefined;
  if (!isNames(queues) || !isNames(tasks) || !isNames(schedules) || !isSizes(concurrency)) return undefined;
  const { tasksOfQueues, batchSizes, rateLimits, shardOfQueues, load } = value;
  return {
    ...{ id, application, host, pid, version, startedAt, seenAt, queues, tasks, schedules, concurrency },
    ...(isNamesByQueue(tasksOfQueues) && { tasksOfQueues }),
    ...(isSizes(batchSizes) && { batchSizes }),
    ...(isLimits(rateLimits) && { rateLimits }),
    ...(isTexts(shardOfQueues) && { shardOfQueues }),
    ...(isLoad(load) && { load }),
  };
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

function isNamesByQueue(value: unknown): value is Record<string, string[]> {
  return isObject(value) && Object.values(value).every(isNames);
}

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string');
}

function isSizes(value: unknown): value is Record<string, number> {
  return isObject(value) && Object.values(value).every((size) => typeof size === 'number' && size > 0);
}

function isLimits(value: unknown): value is Record<string, RateLimit> {
  return (
    isObject(value) &&
    Object.values(value as Record<string, Partial<RateLimit> | null>).every(
      (limit) => typeof limit?.max === 'number' && typeof limit.per === 'number',
    )
  );
}

const SHUTDOWN = 'shutdown:';

function shutdownKey(id: string): string {
  return SHUTDOWN + id;
}

function isShutdownKey(key: string): boolean {
  return key.startsWith(SHUTDOWN);
}

/** @returns `undefined` for a text that is no request of this form */
function parseShutdown(text: string): ShutdownRequest | undefined {
  try {
    const { format, by, reason, grace } = JSON.parse(text) as Partial<
      Record<keyof ShutdownRequest | 'format', unknown>
    >;
    if (format !== FORMAT || typeof by !== 'string') return undefined;
    return {
      by,
      reason: typeof reason === 'string' ? reason : null,
      grace: typeof grace === 'number' && grace >= 0 ? grace : undefined,
    };
  } catch {
    return undefined;
  }
}

function isLoad(value: unknown): value is WorkerLoad {
  if (typeof value !== 'object' || value === null) return false;
  const { running, runningCount, eventLoopDelay, memory, silentQueues, schedulesSince } = value as Partial<
    Record<keyof WorkerLoad, unknown>
  >;
  return (
    (silentQueues === undefined || isNames(silentQueues)) &&
    (schedulesSince === undefined || isTime(schedulesSince)) &&
    [runningCount, eventLoopDelay, memory].every((figure) => typeof figure === 'number') &&
    Array.isArray(running) &&
    running.every(isRunningTask)
  );
}

function isRunningTask(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { id, name, since } = value as Partial<Record<'id' | 'name' | 'since', unknown>>;
  return typeof id === 'string' && typeof name === 'string' && isTime(since);
}
