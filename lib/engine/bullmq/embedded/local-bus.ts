import { EventEmitter } from 'node:events';
import type { MessageBus } from '../message-bus.js';

/** For an engine that only one process can open: what is published arrives in the same process. */
export class LocalBus implements MessageBus {
  readonly publishEnd = undefined;
  private readonly channels = new EventEmitter().setMaxListeners(0);

  async publish(channel: string, message: string): Promise<void> {
    this.channels.emit(channel, message);
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    this.channels.on(channel, listener);
    return async () => {
      this.channels.off(channel, listener);
    };
  }
}
