import type { ServerResponse } from 'node:http';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';

/** Why the signal of a held request was aborted; one for all, as each exception would cost a stack. */
const NOBODY_WAITS = Symbol('the client left, the application closes, or it was asked to wait no longer');

/** The requests that are answered over time: long polls and streams of events. None outlives its client or the app. */
@Injectable()
export class HeldRequests implements OnModuleDestroy {
  private readonly logger = new Logger('TaskQueue');
  private readonly held = new Set<AbortController>();
  private closing = false;

  /** How many there are. */
  get size(): number {
    return this.held.size;
  }

  /**
   * Does `work` for one of them; its signal is aborted when the client leaves, when the application closes, and after
   * `timeout` milliseconds if there is such a limit. Never rejects: nobody is there any more to catch what it throws, so
   * that is logged, and the connection is cut off.
   */
  async hold(
    response: ServerResponse,
    timeout: number | undefined,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const controller = new AbortController();
    const release = () => controller.abort(NOBODY_WAITS);
    if (this.closing || response.destroyed) release();
    const timer = timeout === undefined ? undefined : setTimeout(release, timeout);
    response.once('close', release);
    this.held.add(controller);
    try {
      await work(controller.signal);
    } catch (error) {
      this.logger.error(error);
      response.destroy();
    } finally {
      clearTimeout(timer);
      this.held.delete(controller);
      response.off('close', release);
    }
  }

  /** Nest's first hook at shutdown: the server closes only once nobody is waiting for an answer any more. */
  onModuleDestroy(): void {
    this.closing = true;
    for (const controller of this.held) controller.abort(NOBODY_WAITS);
  }
}
