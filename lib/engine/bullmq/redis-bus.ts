import { isUsable, type RedisClient } from './redis-client.js';
import type { MessageBus } from './store.js';

/** How often the subscriber asks for an answer: it only listens, and would not notice that nobody talks any more. */
const HEARTBEAT = 5_000;

/** Redis' publish and subscribe. The second connection is opened by the first subscriber, and subscribes again by itself. */
export class RedisBus implements MessageBus {
  private readonly listeners = new Map<string, Set<(message: string) => void>>();
  private subscriber: RedisClient | undefined;

  constructor(
    private readonly prefix: string,
    private readonly publisher: RedisClient,
    /** The connection of this process's workers: Redis does what is sent on one connection in that order. */
    private readonly workers: () => RedisClient | undefined,
    private readonly openSubscriber: () => RedisClient,
  ) {}

  async publish(channel: string, message: string): Promise<void> {
    await this.publisher.publish(this.key(channel), message);
  }

  readonly publishBehindWorkers = async (channel: string, message: string): Promise<void> => {
    await (this.workers() ?? this.publisher).publish(this.key(channel), message);
  };

  async subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    const key = this.key(channel);
    const subscriber = this.connected();
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners.add(listener));
    try {
      await subscriber.subscribe(key);
    } catch (error) {
      listeners.delete(listener);
      throw error;
    }
    return async () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      this.listeners.delete(key);
      // Not awaited: nobody hears of the channel any more, and the server may be gone.
      if (isUsable(subscriber)) subscriber.unsubscribe(key).catch(() => undefined);
    };
  }

  private connected(): RedisClient {
    if (this.subscriber) return this.subscriber;
    const subscriber = this.openSubscriber();
    subscriber.on('message', (key: string, message: string) => {
      for (const listener of this.listeners.get(key) ?? []) listener(message);
    });
    // Without an answer the client's socketTimeout cuts the connection, and another is made.
    const heartbeat = setInterval(() => {
      if (isUsable(subscriber)) subscriber.ping().catch(() => undefined);
    }, HEARTBEAT).unref();
    subscriber.once('end', () => clearInterval(heartbeat));
    this.subscriber = subscriber;
    return subscriber;
  }

  private key(channel: string): string {
    return `${this.prefix}:bus:${channel}`;
  }
}
