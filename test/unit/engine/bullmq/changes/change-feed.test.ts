import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { ChangeFeed } from '../../../../../lib/engine/bullmq/changes/change-feed.js';
import type { MessageBus } from '../../../../../lib/engine/bullmq/message-bus.js';

/** The network between processes: it records the channel of each message, and loses messages while it is `lossy`. */
class Network {
  readonly sent: string[] = [];
  lossy = false;
  private readonly channels = new EventEmitter();

  bus(): MessageBus {
    return {
      publishEnd: undefined,
      publish: async (channel, message) => {
        this.sent.push(channel);
        if (!this.lossy) setImmediate(() => this.channels.emit(channel, message));
      },
      subscribe: async (channel, listener) => {
        this.channels.on(channel, listener);
        return async () => void this.channels.off(channel, listener);
      },
    };
  }
}

const CHANGES = { endOnly: false };
const END = { endOnly: true };

/** Watches a task that the same process has just stored, for its end alone. */
function watchNew(feed: ChangeFeed, id: string, listener: () => void): () => void {
  feed.willStore([id]);
  return feed.watch(id, listener, END);
}

let network: Network;
let worker: ChangeFeed;
let web: ChangeFeed;
const cancelled = jest.fn<(id: string, reason: string | undefined) => void>();

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  network = new Network();
  worker = new ChangeFeed(network.bus());
  web = new ChangeFeed(network.bus());
  await worker.serve(cancelled);
});
afterEach(async () => {
  await worker.close();
  await web.close();
  jest.useRealTimers();
});

/** Lets every published message arrive. */
async function deliverMessages(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

it('a listener is called once at the beginning, then at each change', async () => {
  const listener = jest.fn();
  const unwatch = web.watch('q.1', listener, CHANGES);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  worker.changed('q.1');
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
  worker.changed('q.2');
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
  unwatch();
  worker.changed('q.1');
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
});

it('a task without a watcher costs no message', async () => {
  network.sent.length = 0;
  for (let task = 0; task < 1_000; task++) worker.changed(`q.${task}`);
  await deliverMessages();
  expect(network.sent).toEqual([]);
});

it('announces all tasks of one turn in as few messages as fit', async () => {
  network.sent.length = 0;
  for (let task = 0; task < 100; task++) web.watch(`q.${task}`, () => undefined, CHANGES);
  await deliverMessages();
  expect(network.sent.filter((channel) => channel === 'workers')).toHaveLength(2);
  network.sent.length = 0;
  for (let task = 0; task < 60; task++) worker.changed(`q.${task}`);
  await deliverMessages();
  expect(network.sent).toHaveLength(1);
});

it('a listener is called for a change between its first fetch and the announcement of the watch', async () => {
  const listener = jest.fn();
  worker.changed('q.1');
  web.watch('q.1', listener, CHANGES);
  await deliverMessages();
  // The first call is the one at the beginning. The second comes because the worker remembers the change.
  expect(listener).toHaveBeenCalledTimes(2);
});

it('a poll calls the listener when messages are lost', async () => {
  const listener = jest.fn();
  network.lossy = true;
  web.watch('q.1', listener, CHANGES);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  worker.changed('q.1');
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  await jest.advanceTimersByTimeAsync(1_000);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
  await jest.advanceTimersByTimeAsync(60_000);
  await deliverMessages();
  // The polls come after 1, 3, 7 and 15 seconds, then every 10 seconds.
  expect(listener.mock.calls.length).toBeGreaterThanOrEqual(6);
  expect(listener.mock.calls.length).toBeLessThanOrEqual(10);
});

it('a worker that starts later learns which tasks are watched', async () => {
  const listener = jest.fn();
  web.watch('q.1', listener, CHANGES);
  await deliverMessages();
  const second = new ChangeFeed(network.bus());
  await second.serve(cancelled);
  await deliverMessages();
  const before = listener.mock.calls.length;
  second.changed('q.1');
  await deliverMessages();
  expect(listener.mock.calls.length).toBe(before + 1);
  await second.close();
});

it('a worker forgets a watcher that does not repeat its request', async () => {
  const unwatch = web.watch('q.1', () => undefined, CHANGES);
  await deliverMessages();
  unwatch();
  await jest.advanceTimersByTimeAsync(35_000);
  network.sent.length = 0;
  worker.changed('q.1');
  await deliverMessages();
  expect(network.sent).toEqual([]);
});

it('a request to cancel reaches the processes that run tasks', async () => {
  await web.requestCancel('q.1', 'enough');
  await web.requestCancel('q.2', undefined);
  await deliverMessages();
  expect(cancelled.mock.calls).toEqual([
    ['q.1', 'enough'],
    ['q.2', undefined],
  ]);
});

it('a change made by request reaches all watching processes', async () => {
  const listener = jest.fn();
  worker.watch('q.1', listener, CHANGES);
  await deliverMessages();
  await web.changedByRequest('q.1');
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
});

it('a listener for the end alone is called at the end alone, and not at the beginning for a new task', async () => {
  const listener = jest.fn();
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  worker.changed('q.1');
  await deliverMessages();
  expect(listener).not.toHaveBeenCalled();
  worker.changed('q.1', true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a listener is called for an end that came before the announcement of the watch', async () => {
  const listener = jest.fn();
  worker.changed('q.1');
  worker.changed('q.1', true);
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a task is announced again when one more listener wants every change', async () => {
  const [end, changes] = [jest.fn(), jest.fn()];
  watchNew(web, 'q.1', end);
  await deliverMessages();
  web.watch('q.1', changes, CHANGES);
  await deliverMessages();
  const before = changes.mock.calls.length;
  worker.changed('q.1');
  await deliverMessages();
  expect(changes.mock.calls.length).toBe(before + 1);
});

it('a poll also covers a new task when messages are lost', async () => {
  const listener = jest.fn();
  network.lossy = true;
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  expect(listener).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(2_000);
  await deliverMessages();
  expect(listener).toHaveBeenCalled();
});

/** A worker on a store that sends the message right behind the end, as Redis does. */
async function earlyWorker(): Promise<ChangeFeed> {
  const bus = network.bus();
  const early = new ChangeFeed({
    ...bus,
    publishEnd: (id, [inbox = '']) => void bus.publish(inbox, JSON.stringify({ ids: [id] })),
  });
  await early.serve(cancelled);
  return early;
}

it('a listener is called once for an end that is announced while it is being stored', async () => {
  const listener = jest.fn();
  const early = await earlyWorker();
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  early.ending('q.1');
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  early.changed('q.1', true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  await early.close();
});

it('a watcher that comes while the end is being stored is told once too', async () => {
  const early = await earlyWorker();
  const late = new ChangeFeed(network.bus());
  const [listener, later] = [jest.fn(), jest.fn()];
  early.ending('q.1');
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  early.changed('q.1', true);
  watchNew(late, 'q.1', later);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  expect(later).toHaveBeenCalledTimes(1);
  await Promise.all([early.close(), late.close()]);
});

it('a listener is called again when a task ends whose earlier end could not be stored', async () => {
  const listener = jest.fn();
  const early = await earlyWorker();
  early.ending('q.1');
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  // The task runs again and then fails for good.
  early.changed('q.1', false);
  early.changed('q.1', true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
  await early.close();
});

it('a success reaches listeners in this process and in others, and is not serialised without a watcher', async () => {
  const [here, there] = [jest.fn(), jest.fn()];
  watchNew(worker, 'q.1', here);
  watchNew(web, 'q.1', there);
  await deliverMessages();
  const write = jest.fn(() => ['Reports.build', '42']);
  worker.changed('q.1', true, write);
  worker.changed('q.2', true, write);
  await deliverMessages();
  expect(here.mock.calls).toEqual([[['Reports.build', '42']]]);
  expect(there.mock.calls).toEqual([[['Reports.build', '42']]]);
  expect(write).toHaveBeenCalledTimes(2);
});

it('a success too large for a message is sent as a plain change, and many successes take several messages', async () => {
  const listeners = Array.from({ length: 5 }, () => jest.fn());
  for (const [task, listener] of listeners.entries()) watchNew(web, `q.${task}`, listener);
  await deliverMessages();
  network.sent.length = 0;
  const texts = ['ä'.repeat(4_000), 'x'.repeat(3_000), 'x'.repeat(3_000), 'x'.repeat(3_000), ''];
  for (const [task, text] of texts.entries()) worker.changed(`q.${task}`, true, () => [text]);
  await deliverMessages();
  expect(listeners[0]?.mock.calls).toEqual([[]]);
  for (const task of [1, 2, 3, 4]) expect(listeners[task]?.mock.calls).toEqual([[[texts[task]]]]);
  expect(network.sent).toHaveLength(2);
});

it('a listener in the same process is called at the end alone when it wants no more', async () => {
  const listener = jest.fn();
  watchNew(worker, 'q.1', listener);
  await deliverMessages();
  worker.changed('q.1');
  expect(listener).not.toHaveBeenCalled();
  worker.changed('q.1', true);
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a worker remembers the end of a task for a while, whatever changes follow', async () => {
  worker.changed('q.1', true);
  await jest.advanceTimersByTimeAsync(2_000);
  worker.changed('q.1');
  const listener = jest.fn();
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a listener is called for an end just before in the same process', async () => {
  worker.changed('q.1', true);
  const listener = jest.fn();
  watchNew(worker, 'q.1', listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});
