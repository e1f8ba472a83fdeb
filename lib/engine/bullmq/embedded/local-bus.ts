import { EventEmitter } from 'node:events';
import { LARGEST_MESSAGE, type MessageBus } from '../message-bus.js';

/** Delivers messages inside this process. The embedded engine has no other process that could receive them. */
export class LocalBus implements MessageBus {
  readonly isPublic = false;
  readonly largestMessage = LARGEST_MESSAGE;
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
