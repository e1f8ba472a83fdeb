import type { OnApplicationShutdown } from '@nestjs/common';
import { diag, type TracerProvider } from '@opentelemetry/api';
import { endsWithin } from '../concurrency.js';

/** Milliseconds for which the end of the application waits for an exporter. */
const LIMIT = 2_000;

/** What a provider of the SDK has, and the global proxy of the API. */
interface FlushableProvider extends TracerProvider {
  forceFlush?(): Promise<void>;
  getDelegate?(): FlushableProvider;
}

/**
 * Exports the spans that an SDK collects, when the application closes: worker processes and child processes for isolated tasks exit then,
 * and no code of the application runs after it.
 */
export class SpanFlush implements OnApplicationShutdown {
  /** @param provider `undefined` without traces */
  constructor(private readonly provider: TracerProvider | undefined) {}

  async onApplicationShutdown(): Promise<void> {
    try {
      await endsWithin(flush(this.provider), LIMIT);
    } catch (error) {
      diag.error('nestjs-task-queue: the last spans were not exported', error);
    }
  }
}

async function flush(provider: FlushableProvider | undefined): Promise<void> {
  const real = provider?.getDelegate?.() ?? provider;
  await real?.forceFlush?.();
}
