import type { Queue } from 'bullmq';
import type { ControlPort, Override, QueueSettings, RateLimit, Reason } from '../ports/control-port.js';
import type { Availability } from './availability.js';
import type { Driver } from './driver.js';

/** BullMQ's own fields in the metadata of a queue, which its workers read whenever they take a job. */
const BULLMQ_FIELDS = ['paused', 'concurrency', 'max', 'duration'] as const;
/** The fields of this package: who changed a setting, when and why. */
const PAUSED_BY = 'task-queue:paused-by';
const CONCURRENCY_BY = 'task-queue:concurrency-by';
/** What the workers declare. BullMQ's field has the number that applies. */
const DECLARED_CONCURRENCY = 'task-queue:concurrency-declared';
const RATE_LIMIT_BY = 'task-queue:rate-limit-by';
const FIELDS = [...BULLMQ_FIELDS, PAUSED_BY, CONCURRENCY_BY, DECLARED_CONCURRENCY, RATE_LIMIT_BY];
/** The number of the form of a reason. A process shows no reason with a higher number. */
const FORMAT = 1;

export interface QueueControlDeps {
  readonly driver: Pick<Driver, 'useQueues' | 'wake' | 'shortenRateWindow' | 'endRateWindow'>;
  readonly availability: Availability;
  /** A queue whose connection is ready. */
  readonly readyQueue: (name: string) => Promise<Queue>;
}

/** Stores the settings of queues where BullMQ's workers look for them. */
export class QueueControl implements ControlPort {
  constructor(private readonly deps: QueueControlDeps) {}

  settings(queues: readonly string[]): Promise<QueueSettings[]> {
    return Promise.all(
      queues.map((name) =>
        this.withQueue('read the settings of a queue', name, async (queue) =>
          toSettings(await queue.getBackend().getQueueMetaFields(FIELDS)),
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
    await this.change('set the global concurrency', name, async (queue) => {
      const backend = queue.getBackend();
      if (value === null) {
        const [declared] = await backend.getQueueMetaFields([DECLARED_CONCURRENCY]);
        await backend.removeQueueMetaFields(['concurrency', CONCURRENCY_BY]);
        if (declared) await backend.setQueueMeta({ concurrency: declared });
      } else await backend.setQueueMeta({ concurrency: value, [CONCURRENCY_BY]: writeReason(reason) });
      // Idle workers wait for a job, and more of the waiting ones may start now.
      await this.deps.driver.wake(name);
    });
  }

  async declareGlobalConcurrency(name: string, value: number | null): Promise<void> {
    await this.withQueue('declare the global concurrency', name, async (queue) => {
      const backend = queue.getBackend();
      const [applies, by, declared] = await backend.getQueueMetaFields([
        'concurrency',
        CONCURRENCY_BY,
        DECLARED_CONCURRENCY,
      ]);
      const isSetByOthers = Boolean(by) || (Boolean(applies) && applies !== declared);
      const fields = isSetByOthers ? [DECLARED_CONCURRENCY] : ['concurrency', DECLARED_CONCURRENCY];
      if (value === null) {
        if (!declared) return;
        await backend.removeQueueMetaFields(fields);
      } else {
        const text = String(value);
        if (text === declared && (isSetByOthers || text === applies)) return;
        await backend.setQueueMeta(Object.fromEntries(fields.map((field) => [field, text])));
      }
      await this.deps.driver.wake(name);
    });
  }

  async setRateLimit(name: string, limit: RateLimit | null, reason: Reason): Promise<void> {
    await this.change('set the rate limit', name, async (queue) => {
      const backend = queue.getBackend();
      if (limit === null) {
        await backend.removeQueueMetaFields(['max', 'duration', RATE_LIMIT_BY]);
        // Its length is that of the override, which may be hours.
        await this.deps.driver.endRateWindow(name);
        return;
      }
      const { max, per } = limit;
      await backend.setQueueMeta({ duration: per, max, [RATE_LIMIT_BY]: writeReason(reason) });
      await this.deps.driver.shortenRateWindow(name, per);
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
    if (typeof by !== 'string' || typeof at !== 'number' || !Number.isFinite(at)) return null;
    return { by, at, reason: typeof reason === 'string' ? reason : null };
  } catch {
    return null;
  }
}

function toSettings(values: readonly (string | null)[]): QueueSettings {
  const field = new Map(FIELDS.map((name, index) => [name, values[index] ?? undefined]));
  const paused = field.get('paused') !== undefined;
  const [max, per] = [numberIn(field.get('max')), numberIn(field.get('duration'))];
  const concurrency = numberIn(field.get('concurrency'));
  const declared = numberIn(field.get(DECLARED_CONCURRENCY));
  const isOverridden = concurrency !== undefined && (Boolean(field.get(CONCURRENCY_BY)) || concurrency !== declared);
  const override = <V>(value: V, by: string): Override<V> => ({ value, by: readReason(field.get(by)) });
  return {
    paused,
    pausedBy: paused ? readReason(field.get(PAUSED_BY)) : null,
    globalConcurrency: isOverridden ? override(concurrency, CONCURRENCY_BY) : null,
    declaredConcurrency: declared ?? null,
    rateLimit: max === undefined || per === undefined ? null : override({ max, per }, RATE_LIMIT_BY),
  };
}

function numberIn(text: string | undefined): number | undefined {
  const value = Number(text ?? Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}
