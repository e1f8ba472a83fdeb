import { queueOfTask } from '../../task-id.js';
import { ChannelListeners } from '../channel-listeners.js';
import type { RedisClient } from './client-options.js';
import { isUsable } from './redis-client.js';
import { FORMAT, LARGEST_MESSAGE, type MessageBus } from '../message-bus.js';
import { SUCCESS_FIELDS } from '../jobs/job-success.js';

/**
 * Milliseconds between two pings on the subscriber's connection. That connection only receives messages, so without
 * pings the process would not notice that the server is gone.
 */
const HEARTBEAT = 5_000;

/** The name under which a client defines {@link PUBLISH_END}. */
const COMMAND = 'taskQueuePublishEnd';

type PublishingClient = Record<typeof COMMAND, (...args: string[]) => Promise<unknown>>;

/**
 * Sends messages by Redis' publish and subscribe. The first subscriber opens a second connection. After an outage,
 * ioredis connects it again and subscribes to all its channels.
 */
export class RedisBus implements MessageBus {
  readonly isPublic = false;
  readonly largestMessage = LARGEST_MESSAGE;
  private readonly listeners = new ChannelListeners();
  private subscriber: RedisClient | undefined;

  constructor(
    private readonly prefix: string,
    private readonly publisher: RedisClient,
    /** The connection of this process's workers. Redis runs the commands of one connection in their order. */
    private readonly workers: () => RedisClient | undefined,
    private readonly openSubscriber: () => RedisClient,
  ) {}

  async publish(channel: string, message: string): Promise<void> {
    await this.publisher.publish(this.key(channel), message);
  }

  readonly publishEnd = (id: string, channels: readonly string[]): void => {
    const client = this.workers() ?? this.publisher;
    const job = `${this.prefix}:${queueOfTask(id)}:${id}`;
    const keys = channels.map((channel) => this.key(channel));
    if (!(COMMAND in client)) client.defineCommand(COMMAND, { lua: PUBLISH_END, numberOfKeys: 1 });
    // A cluster has a connection for each node and chooses one by itself.
    const stream = 'nodes' in client ? undefined : client.stream;
    // The worker sends the command that stores the end before the next tick. The script follows right behind it, and
    // the corked socket sends both in one packet.
    stream?.cork();
    process.nextTick(() => {
      (client as unknown as PublishingClient)[COMMAND](job, id, ...keys).catch(() => undefined);
      stream?.uncork();
    });
  };

  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    const key = this.key(channel);
    const subscriber = this.openedSubscriber();
    const unsubscribe = async () => {
      if (isUsable(subscriber)) await subscriber.unsubscribe(key);
    };
    return this.listeners.add(key, listener, () => subscriber.subscribe(key), unsubscribe);
  }

  private openedSubscriber(): RedisClient {
    if (this.subscriber) return this.subscriber;
    const subscriber = this.openSubscriber();
    subscriber.on('message', (key: string, message: string) => {
      this.listeners.deliver(key, message);
    });
    // When a ping gets no answer, `cutWhenSilent` cuts the connection and ioredis makes another.
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

/**
 * Publishes a `ChangeMessage` about the job KEYS[1], whose id is ARGV[1], on all channels from ARGV[2] on. The message
 * carries what is stored of a success unless that is too large.
 */
const PUBLISH_END = `
local fields = redis.call('HMGET', KEYS[1], ${SUCCESS_FIELDS.map((field) => `'${field}'`).join(', ')})
local message = cjson.encode({ v = ${FORMAT}, ids = { ARGV[1] } })
local data = fields[${SUCCESS_FIELDS.indexOf('data') + 1}]
local finishedOn = fields[${SUCCESS_FIELDS.indexOf('finishedOn') + 1}]
local result = fields[${SUCCESS_FIELDS.indexOf('returnvalue') + 1}]
local size = 0
for _, field in ipairs(fields) do if field then size = size + #field end end
if data and finishedOn and result and size < ${LARGEST_MESSAGE} then
  message = cjson.encode({ v = ${FORMAT}, successes = { { ARGV[1], fields } } })
end
for index = 2, #ARGV do redis.call('PUBLISH', ARGV[index], message) end
`;
