import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { ChangeFeed } from '../../../../../lib/engine/bullmq/changes/change-feed.js';
import type { MessageBus } from '../../../../../lib/engine/bullmq/message-bus.js';

/** The network between processes: counts what is said, and loses it when told so. */
class Network {
  readonly said: string[] = [];
  lossy = false;
  private readonly channels = new EventEmitter();

  bus(): MessageBus {
    return {
      publishEnd: undefined,
      publish: async (channel, message) => {
        this.said.push(channel);
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

it('looks once at the beginning, then at each change', async () => {
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

it('says nothing about tasks nobody waits for', async () => {
  network.said.length = 0;
  for (let task = 0; task < 1_000; task++) worker.changed(`q.${task}`);
  await deliverMessages();
  expect(network.said).toEqual([]);
});

it('announces all tasks of one turn in as few messages as fit', async () => {
  network.said.length = 0;
  for (let task = 0; task < 100; task++) web.watch(`q.${task}`, () => undefined, CHANGES);
  await deliverMessages();
  expect(network.said.filter((channel) => channel === 'workers')).toHaveLength(2);
  network.said.length = 0;
  for (let task = 0; task < 60; task++) worker.changed(`q.${task}`);
  await deliverMessages();
  expect(network.said).toHaveLength(1);
});

it('tells of a change that came between the look and the announcement', async () => {
  const listener = jest.fn();
  worker.changed('q.1');
  web.watch('q.1', listener, CHANGES);
  await deliverMessages();
  // Once for the look, once since the worker knows that it changed just now.
  expect(listener).toHaveBeenCalledTimes(2);
});

it('looks by itself when messages are lost', async () => {
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
  // Ever more seldom: after 1, 3, 7, 15, then every 10 seconds.
  expect(listener.mock.calls.length).toBeGreaterThanOrEqual(6);
  expect(listener.mock.calls.length).toBeLessThanOrEqual(10);
});

it('tells a worker that starts later who waits', async () => {
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

it('forgets who does not ask again', async () => {
  const unwatch = web.watch('q.1', () => undefined, CHANGES);
  await deliverMessages();
  unwatch();
  await jest.advanceTimersByTimeAsync(35_000);
  network.said.length = 0;
  worker.changed('q.1');
  await deliverMessages();
  expect(network.said).toEqual([]);
});

it('carries requests to cancel to the processes that run tasks', async () => {
  await web.requestCancel('q.1', 'enough');
  await web.requestCancel('q.2', undefined);
  await deliverMessages();
  expect(cancelled.mock.calls).toEqual([
    ['q.1', 'enough'],
    ['q.2', undefined],
  ]);
});

it('tells everybody of a change made by request', async () => {
  const listener = jest.fn();
  worker.watch('q.1', listener, CHANGES);
  await deliverMessages();
  await web.changedByRequest('q.1');
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
});

it('tells of the end alone whoever wants to know no more, and looks at nothing new before that', async () => {
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

it('tells of an end that came before the announcement', async () => {
  const listener = jest.fn();
  worker.changed('q.1');
  worker.changed('q.1', true);
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('tells of every change as soon as one of those who wait wants to know', async () => {
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

it('looks at what is new, too, when messages are lost', async () => {
  const listener = jest.fn();
  network.lossy = true;
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  expect(listener).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(2_000);
  await deliverMessages();
  expect(listener).toHaveBeenCalled();
});

/** A worker on a store where the message cannot be faster than the end. */
async function earlyWorker(): Promise<ChangeFeed> {
  const bus = network.bus();
  const early = new ChangeFeed({
    ...bus,
    publishEnd: (id, [inbox = '']) => void bus.publish(inbox, JSON.stringify({ ids: [id] })),
  });
  await early.serve(cancelled);
  return early;
}

it('tells of an end once, and early where the message cannot be faster than the end', async () => {
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

it('tells who says so during the end likewise, each once', async () => {
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

it('tells of an end that could not be stored when it is said that it was', async () => {
  const listener = jest.fn();
  const early = await earlyWorker();
  early.ending('q.1');
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  // It is run again, and fails for good.
  early.changed('q.1', false);
  early.changed('q.1', true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
  await early.close();
});

it('tells what is stored of a success, in the same process and in others, and nobody writes it down for nobody', async () => {
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

it('tells of a success that no message holds as of a change, and of many in more than one', async () => {
  const listeners = Array.from({ length: 5 }, () => jest.fn());
  for (const [task, listener] of listeners.entries()) watchNew(web, `q.${task}`, listener);
  await deliverMessages();
  network.said.length = 0;
  const texts = ['ä'.repeat(4_000), 'x'.repeat(3_000), 'x'.repeat(3_000), 'x'.repeat(3_000), ''];
  for (const [task, text] of texts.entries()) worker.changed(`q.${task}`, true, () => [text]);
  await deliverMessages();
  expect(listeners[0]?.mock.calls).toEqual([[]]);
  for (const task of [1, 2, 3, 4]) expect(listeners[task]?.mock.calls).toEqual([[[texts[task]]]]);
  expect(network.said).toHaveLength(2);
});

it('tells of the end alone in the same process, too', async () => {
  const listener = jest.fn();
  watchNew(worker, 'q.1', listener);
  await deliverMessages();
  worker.changed('q.1');
  expect(listener).not.toHaveBeenCalled();
  worker.changed('q.1', true);
  expect(listener).toHaveBeenCalledTimes(1);
});

it('remembers for a while that a task ended, whatever else is said of it', async () => {
  worker.changed('q.1', true);
  await jest.advanceTimersByTimeAsync(2_000);
  worker.changed('q.1');
  const listener = jest.fn();
  watchNew(web, 'q.1', listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('tells of an end just before in the same process', async () => {
  worker.changed('q.1', true);
  const listener = jest.fn();
  watchNew(worker, 'q.1', listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});
