import { createRequire } from 'node:module';
import type { MetricFigures } from './messages.js';

/**
 * Adds up the figures of the processes as `AggregatorRegistry` of prom-client does for a cluster, with the copy of prom-client that the
 * application uses.
 *
 * It keeps what counters and histograms of ended processes had last: a sum that falls would look like a restart of all processes, and
 * Prometheus would count what is left twice.
 */
export class SummedFigures {
  private past: readonly MetricFigures[] = [];
  private adding: Promise<void> = Promise.resolve();

  /** @param file of the application */
  constructor(private readonly file: string) {}

  /** Keeps the last figures of a process that has ended. */
  keep(figures: readonly MetricFigures[]): void {
    const growing = figures.filter(({ type }) => type === 'counter' || type === 'histogram');
    if (growing.length === 0) return;
    this.adding = this.adding.then(async () => {
      this.past = (await this.sum([this.past, growing])?.getMetricsAsJSON()) ?? [];
    });
    // Figures that cannot be added are lost, and nothing else.
    this.adding = this.adding.catch(() => undefined);
  }

  /** @returns text for Prometheus, empty without prom-client */
  async text(running: readonly (readonly MetricFigures[])[]): Promise<string> {
    await this.adding;
    const known = [this.past, ...running].filter(({ length }) => length > 0);
    return known.length === 0 ? '' : ((await this.sum(known)?.metrics()) ?? '');
  }

  private sum(figures: readonly (readonly MetricFigures[])[]): Registry | undefined {
    try {
      const client = createRequire(this.file)('prom-client') as PromClient;
      return client.AggregatorRegistry.aggregate(figures);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
      throw error;
    }
  }
}

interface Registry {
  metrics(): Promise<string>;
  getMetricsAsJSON(): Promise<readonly MetricFigures[]>;
}

interface PromClient {
  readonly AggregatorRegistry: { aggregate(figures: readonly (readonly MetricFigures[])[]): Registry };
}
