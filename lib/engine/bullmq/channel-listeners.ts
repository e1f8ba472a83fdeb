type Listener = (message: string) => void;

/** The listeners of each channel that a bus has subscribed to, for a bus with one connection for all channels. */
export class ChannelListeners {
  private readonly listeners = new Map<string, Set<Listener>>();

  /** The channels that have a listener. */
  get channels(): string[] {
    return [...this.listeners.keys()];
  }

  /** Calls the listeners of a channel. */
  deliver(channel: string, message: string): void {
    for (const listener of this.listeners.get(channel) ?? []) listener(message);
  }

  /**
   * Adds a listener.
   *
   * @param subscribe subscribes to the channel; the listener is removed again when that fails
   * @param unsubscribe called when the last listener is gone. It is not awaited, and may fail: the channel has no listener
   *   any more, and the server may be gone
   * @returns removes the listener
   */
  async add(
    channel: string,
    listener: Listener,
    subscribe: () => Promise<unknown>,
    unsubscribe: () => Promise<unknown>,
  ): Promise<() => Promise<void>> {
    const listeners = this.listeners.get(channel) ?? new Set();
    this.listeners.set(channel, listeners.add(listener));
    try {
      await subscribe();
    } catch (error) {
      this.remove(channel, listener);
      throw error;
    }
    return async () => {
      if (this.remove(channel, listener)) unsubscribe().catch(() => undefined);
    };
  }

  /** @returns whether it was the last listener of the channel */
  private remove(channel: string, listener: Listener): boolean {
    const listeners = this.listeners.get(channel);
    if (!listeners?.delete(listener) || listeners.size > 0) return false;
    return this.listeners.delete(channel);
  }
}
