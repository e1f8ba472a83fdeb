import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import type { Reads } from '../api/reads.js';

/** Milliseconds between two looks while no page is open. */
const LOOK_EVERY = 60_000;

/** Looks at the queues once a minute, also while no page is open, so that a page shows what was before it was opened. */
export class DepthWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly reads: Pick<Reads, 'overview'>,
    private readonly every = LOOK_EVERY,
  ) {}

  onApplicationBootstrap(): void {
    // A look that fails leaves a gap in the chart; a page that is open tells the reason.
    this.timer = setInterval(() => void this.reads.overview().catch(() => undefined), this.every).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }
}
