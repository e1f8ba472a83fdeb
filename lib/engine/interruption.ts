/**
 * The wish that something ends early, and why: what an `AbortController` is, whose signal is made only when somebody
 * asks for it. To make one takes as long as much else that is done for a task, and most tasks never look at theirs.
 */
export class Interruption {
  private readonly listeners = new Set<() => void>();
  private controller: AbortController | undefined;
  private why: { readonly reason: unknown } | undefined;

  get isWanted(): boolean {
    return this.why !== undefined;
  }

  /** What the first who wished for it said; `undefined` as long as nobody did. */
  get reason(): unknown {
    return this.why?.reason;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.why) this.controller.abort(this.why.reason);
    }
    return this.controller.signal;
  }

  /** The first reason stays. */
  want(reason: unknown): void {
    if (this.why) return;
    this.why = { reason };
    for (const listener of this.listeners) listener();
    this.controller?.abort(reason);
  }

  /** Calls `listener` when it is wished for, at once if it was before, until the returned function is called. */
  whenWanted(listener: () => void): () => void {
    if (this.why) listener();
    else this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
