/** Runs tasks again whose cancelled runs have ended, if a caller has asked for that. */
export class RetriesAfterCancel {
  private readonly retries = new Set<Promise<void>>();

  /** @param retry runs a task again, if a caller has asked for that */
  constructor(
    private readonly retry: (id: string) => Promise<void>,
    private readonly onError: (error: Error) => void,
  ) {}

  retryIfAsked(id: string): void {
    const retry = this.retry(id)
      .catch((error: unknown) => this.onError(error as Error))
      .finally(() => this.retries.delete(retry));
    this.retries.add(retry);
  }

  /** Resolves once the calls that have begun have ended. */
  async allEnd(): Promise<void> {
    await Promise.allSettled(this.retries);
  }
}
