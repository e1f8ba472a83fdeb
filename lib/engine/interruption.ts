import { abortContained } from './contained-abort.js';
import { containListeners } from './contained-signal.js';

/**
 * A request to end early, with its reason: like an `AbortController`, except that the signal is created only when it is
 * read. Creating one takes as long as most other steps of a run together, and most tasks never read theirs.
 */
export class Interruption {
  private readonly listeners = new Set<() => void>();
  private controller: AbortController | undefined;
  private requested: { readonly reason: unknown } | undefined;

  /**
   * @param onListenerError called with an error that a listener of the signal, or of one that is derived from it, throws; default:
   * Node reports it as uncaught
   */
  constructor(private readonly onListenerError?: (error: unknown) => void) {}

  get isRequested(): boolean {
    return this.requested !== undefined;
  }

  /** The reason of the first request; `undefined` before it. */
  get reason(): unknown {
    return this.requested?.reason;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.onListenerError) containListeners(this.controller.signal, this.onListenerError);
      if (this.requested) this.controller.abort(this.requested.reason);
    }
    return this.controller.signal;
  }

  /** Requests the end. A second request changes nothing. */
  request(reason: unknown): void {
    if (this.requested) return;
    this.requested = { reason };
    for (const listener of this.listeners) listener();
    if (!this.controller) return;
    if (this.onListenerError) abortContained(this.controller, reason, this.onListenerError);
    else this.controller.abort(reason);
  }

  /**
   * Calls `listener` when the end is requested, at once when it was requested before.
   *
   * @returns removes the listener
   */
  onRequest(listener: () => void): () => void {
    if (this.requested) listener();
    else this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
