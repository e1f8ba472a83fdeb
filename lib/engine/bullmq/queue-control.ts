import type { Queue } from 'bullmq';
import type { ControlPort, QueueSettings, RateLimit, Reason } from '../ports/control-port.js';
import type { Availability } from './availability.js';
import type { Driver } from './driver.js';
import { isTime } from './jobs/unreadable-job.js';
import {
  changesTo,
  CONCURRENCY_FIELDS,
  isOverridden,
  numberIn,
  readConcurrency,
  withDeclaration,
  type QueueConcurrency,
} from './queue-concurrency.js';

/** BullMQ's own fields in the metadata of a queue, which its workers read whenever they take a job. */
const BULLMQ_FIELDS = ['paused', 'max', 'duration'] as const;
/** The fields of this package: who changed a setting, when and why. */
const PAUSED_BY = 'task-queue:paused-by';
const RATE_LIMIT_BY = 'task-queue:rate-limit-by';
const FIELDS = [...BULLMQ_FIELDS, ...CONCURRENCY_FIELDS, PAUSED_BY, RATE_LIMIT_BY];
/** The number of the form of a reason. A process shows no reason with a higher number. */
const FORMAT = 1;

export interface QueueControlDeps {
  readonly driver: Pick<Driver, 'useQueues' | 'wake' | 'rateWindows'>;
  readonly availability: Availability;
  /** A queue whose connection is ready. */
  readonly readyQueue: (name: string) => Queue | Promise<Queue>;
}

/** Stores the settings of queues where BullMQ's workers look for them. */
export class QueueControl implements ControlPort {
  constructor(private readonly deps: QueueControlDeps) {}

  settings(queues: readonly string[]): Promise<QueueSettings[]> {
    return Promise.all(
      queues.map((name) =>
        this.withQueue('read the settings of a queue', name, async (queue) =>
          toSettings(await queue.getBackend().getQueueMetaFields([...FIELDS])),
        ),
      ),
    );
  }

  /** The reason first: a process that dies in between leaves a reason that is not shown. */
  async pause(name: string, reason: Reason): Promise<void> {
    await this.change('pause', name, async (queue) => {
      const backend = queue.getBackend();
      await backend.setQueueMeta({ [PAUSED_BY]: writeReason(reason) });
      await backend.pause(true);
    });
  }

  async resume(name: string): Promise<void> {
    await this.change('resume', name, async (queue) => {
      const backend = queue.getBackend();
      await backend.pause(false);
      await backend.removeQueueMetaFields([PAUSED_BY]);
    });
  }

  async setGlobalConcurrency(name: string, value: number | null, reason: Reason): Promise<void> {
    await this.change('set the global concurrency', name, (queue) =>
      this.changeConcurrency(queue, (current) =>
        value === null
          ? { ...current, inForce: current.declared, setBy: undefined }
          : { ...current, inForce: String(value), setBy: writeReason(reason) },
      ),
    );
  }

  async declareGlobalConcurrency(name: string, value: number | null, countsRuns: boolean): Promise<void> {
    await this.withQueue('declare the global concurrency', name, (queue) =>
      this.changeConcurrency(queue, (current) =>
        withDeclaration(current, value === null ? undefined : String(value), countsRuns),
      ),
    );
  }

  /** Stores whether the global concurrency counts runs. It does not depend on the number, nor on who has set it. */
  async countRuns(name: string, countsRuns: boolean): Promise<void> {
    await this.withQueue('declare what the global concurrency counts', name, (queue) =>
      this.changeConcurrency(queue, (current) => ({ ...current, countsRuns })),
    );
  }

  private async changeConcurrency(
    queue: Queue,
    change: (current: QueueConcurrency) => QueueConcurrency,
  ): Promise<void> {
    const backend = queue.getBackend();
    const fields = fieldsIn(CONCURRENCY_FIELDS, await backend.getQueueMetaFields([...CONCURRENCY_FIELDS]));
    const { stored, removed } = changesTo(change(readConcurrency(fields)), fields);
    const isChanged = Object.keys(stored).length > 0;
    // In this order, a queue whose number moves from one field to another is never without a limit.
    if (isChanged) await backend.setQueueMeta(stored);
    if (removed.length > 0) await backend.removeQueueMetaFields([...removed]);
    // Idle workers wait for a job, and more of the waiting ones may start now.
    if (isChanged || removed.length > 0) await this.deps.driver.wake(queue.name);
  }

  async setRateLimit(name: string, limit: RateLimit | null, reason: Reason): Promise<void> {
    await this.change('set the rate limit', name, async (queue) => {
      const backend = queue.getBackend();
      if (limit === null) {
        await backend.removeQueueMetaFields(['max', 'duration', RATE_LIMIT_BY]);
        // Its length is that of the override, which may be hours.
        await this.deps.driver.rateWindows.end(name);
        return;
      }
      const { max, per } = limit;
      await backend.setQueueMeta({ duration: per, max, [RATE_LIMIT_BY]: writeReason(reason) });
      await this.deps.driver.rateWindows.shorten(name, per);
    });
  }

  private withQueue<T>(what: string, name: string, call: (queue: Queue) => Promise<T>): Promise<T> {
    return this.deps.availability.withRetries(`${what} "${name}"`, async () => call(await this.deps.readyQueue(name)));
  }

  /** A queue with a setting is shown, although no task was ever in it. */
  private change(what: string, name: string, call: (queue: Queue) => Promise<void>): Promise<void> {
    return this.withQueue(what, name, (queue) => {
      this.deps.driver.useQueues([name]);
      return call(queue);
    });
  }
}

function writeReason(reason: Reason): string {
  return JSON.stringify({ format: FORMAT, ...reason });
}

/** @returns `null` for a text that is no reason of this form: any client of the store may write any text */
function readReason(text: string | null | undefined): Reason | null {
  try {
    const value = JSON.parse(text ?? 'null') as Partial<Record<keyof Reason | 'format', unknown>> | null;
    if (typeof value !== 'object' || value?.format !== FORMAT) return null;
    const { by, at, reason } = value;
    if (typeof by !== 'string' || !isTime(at)) return null;
    return { by, at, reason: typeof reason === 'string' ? reason : null };
  } catch {
    return null;
  }
}

function toSettings(values: readonly (string | null)[]): QueueSettings {
  const fields = fieldsIn(FIELDS, values);
  const paused = fields.has('paused');
  const [max, per] = [numberIn(fields.get('max')), numberIn(fields.get('duration'))];
  const concurrency = readConcurrency(fields);
  const inForce = isOverridden(concurrency) ? numberIn(concurrency.inForce) : undefined;
  return {
    paused,
    pausedBy: paused ? readReason(fields.get(PAUSED_BY)) : null,
    globalConcurrency: inForce === undefined ? null : { value: inForce, by: readReason(concurrency.setBy) },
    declaredConcurrency: numberIn(concurrency.declared) ?? null,
    rateLimit:
      max === undefined || per === undefined
        ? null
        : { value: { max, per }, by: readReason(fields.get(RATE_LIMIT_BY)) },
  };
}

/** The fields that have a value. */
function fieldsIn(names: readonly string[], values: readonly (string | null | undefined)[]): Map<string, string> {
  return new Map(
    names.flatMap((name, index) => {
      const value = values[index];
      return value === null || value === undefined ? [] : [[name, value] as const];
    }),
  );
}
