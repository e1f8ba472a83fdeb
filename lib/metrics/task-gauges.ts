import { endsWithin } from '../concurrency.js';
import type { Outbox } from '../transactions/outbox/outbox.js';
import type { TaskWorkers } from '../workers/task-workers.js';
import type { Sample } from './metric-list.js';
import type { SharedSnapshot } from './shared-snapshot.js';

export interface TaskGaugesDeps {
  readonly workers: Pick<TaskWorkers, 'places'>;
  readonly snapshot: Pick<SharedSnapshot, 'samples'>;
  /** `undefined` in an application without one. */
  readonly outbox: Pick<Outbox, 'figures'> | undefined;
  /** Milliseconds that one reading waits for the store. */
  readonly limit: number;
}

/** Reads all gauges. A scrape must not hang when the store does, so it then shows only what this process knows by itself. */
export class TaskGauges {
  private reading: Promise<Sample[]> | undefined;

  constructor(private readonly deps: TaskGaugesDeps) {}

  /** Callers of the same time share one reading. Never rejects. */
  read(): Promise<Sample[]> {
    this.reading ??= this.readAll().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readAll(): Promise<Sample[]> {
    const { outbox, snapshot } = this.deps;
    const [stored, inOutbox] = await Promise.all([
      this.inTime(snapshot.samples()),
      outbox && this.inTime(outboxSamples(outbox)),
    ]);
    const up: Sample = { key: 'up', labels: {}, value: stored ? 1 : 0 };
    return [up, ...this.ownSamples(), ...(stored ?? []), ...(inOutbox ?? [])];
  }

  private ownSamples(): Sample[] {
    return [...this.deps.workers.places()].flatMap(([queue, { running, capacity }]): Sample[] => [
      { key: 'running', labels: { queue }, value: running },
      { key: 'capacity', labels: { queue }, value: capacity },
    ]);
  }

  /** `undefined` when the store does not answer in time. */
  private async inTime<T>(reading: Promise<T>): Promise<T | undefined> {
    try {
      return (await endsWithin(reading, this.deps.limit)) ? await reading : undefined;
    } catch {
      // The engine itself logs that it cannot be reached.
      return undefined;
    }
  }
}

async function outboxSamples(outbox: Pick<Outbox, 'figures'>): Promise<Sample[]> {
  const figures = await outbox.figures();
  return [...(figures?.queues ?? [])].flatMap(([queue, { depth, age }]): Sample[] => [
    { key: 'outboxCalls', labels: { queue }, value: depth },
    { key: 'outboxAge', labels: { queue }, value: age / 1_000 },
  ]);
}
