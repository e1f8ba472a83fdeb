import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { EventEmitter } from 'node:events';
import { ChangeFeed } from '../../../../../lib/engine/bullmq/changes/change-feed.js';
import { CheckedBus } from '../../../../../lib/engine/bullmq/checked-bus.js';
import { SUCCESS_FIELDS, type JobSuccess } from '../../../../../lib/engine/bullmq/jobs/job-success.js';
import { LARGEST_MESSAGE, type MessageBus } from '../../../../../lib/engine/bullmq/message-bus.js';
import { RareWarnings } from '../../../../../lib/engine/bullmq/rare-warnings.js';

/** The network between processes: it records the channel of each message, and loses messages while it is `lossy`. */
class Network {
  readonly sent: string[] = [];
  lossy = false;
  readonly channels = new EventEmitter();

  bus(): MessageBus {
    return {
      isPublic: false,
      largestMessage: LARGEST_MESSAGE,
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

const checked = (bus: MessageBus) => new CheckedBus(bus, new RareWarnings());

/** The id of a task. Messages with other texts in its place are dropped. */
const idOf = (task: number) => `q.${`${task}`.padStart(22, '0')}`;

/** What is stored of a success; the first field has this text. */
const successOf = (text: string): JobSuccess => SUCCESS_FIELDS.map((_, index) => (index === 0 ? text : false));

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
const cancelled = jest.fn<(id: string) => void>();

beforeEach(async () => {
  cancelled.mockReset();
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  network = new Network();
  worker = new ChangeFeed(checked(network.bus()));
  web = new ChangeFeed(checked(network.bus()));
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
  const unwatch = web.watch(idOf(1), listener, CHANGES);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  worker.changed(idOf(1));
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
  worker.changed(idOf(2));
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
  unwatch();
  worker.changed(idOf(1));
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
});

it('a task without a watcher costs no message', async () => {
  network.sent.length = 0;
  for (let task = 0; task < 1_000; task++) worker.changed(idOf(task));
  await deliverMessages();
  expect(network.sent).toEqual([]);
});

it('announces all tasks of one turn in as few messages as fit', async () => {
  network.sent.length = 0;
  for (let task = 0; task < 100; task++) web.watch(idOf(task), () => undefined, CHANGES);
  await deliverMessages();
  expect(network.sent.filter((channel) => channel === 'workers')).toHaveLength(2);
  network.sent.length = 0;
  for (let task = 0; task < 60; task++) worker.changed(idOf(task));
  await deliverMessages();
  expect(network.sent).toHaveLength(1);
});

it('a listener is called for a change between its first fetch and the announcement of the watch', async () => {
  const listener = jest.fn();
  worker.changed(idOf(1));
  web.watch(idOf(1), listener, CHANGES);
  await deliverMessages();
  // The first call is the one at the beginning. The second comes because the worker remembers the change.
  expect(listener).toHaveBeenCalledTimes(2);
});

it('a poll calls the listener when messages are lost', async () => {
  const listener = jest.fn();
  network.lossy = true;
  web.watch(idOf(1), listener, CHANGES);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  worker.changed(idOf(1));
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

it('the polls of many tasks call a bounded number of listeners at a time, each in its turn', async () => {
  const calls = new Map<string, number>();
  const ids = Array.from({ length: 2_500 }, (_, index) => idOf(index));
  for (const id of ids) watchNew(web, id, () => calls.set(id, (calls.get(id) ?? 0) + 1));
  network.lossy = true;
  await deliverMessages();
  const called = [];
  for (let second = 0; second < 4; second++) {
    network.sent.length = 0;
    await jest.advanceTimersByTimeAsync(1_000);
    await deliverMessages();
    called.push([...calls.values()].reduce((sum, count) => sum + count, 0));
    // The workers learn of all watchers all the same, in messages of 60 tasks.
    if (second === 0) expect(network.sent.length).toBeGreaterThanOrEqual(2_500 / 60);
  }
  expect(called.slice(0, 2)).toEqual([1_000, 2_000]);
  expect(calls.size).toBe(2_500);
});

it('a worker that starts later learns which tasks are watched', async () => {
  const listener = jest.fn();
  web.watch(idOf(1), listener, CHANGES);
  await deliverMessages();
  const second = new ChangeFeed(checked(network.bus()));
  await second.serve(cancelled);
  await deliverMessages();
  const before = listener.mock.calls.length;
  second.changed(idOf(1));
  await deliverMessages();
  expect(listener.mock.calls.length).toBe(before + 1);
  await second.close();
});

it('a worker forgets a watcher that does not repeat its request', async () => {
  const unwatch = web.watch(idOf(1), () => undefined, CHANGES);
  await deliverMessages();
  unwatch();
  await jest.advanceTimersByTimeAsync(35_000);
  network.sent.length = 0;
  worker.changed(idOf(1));
  await deliverMessages();
  expect(network.sent).toEqual([]);
});

it('a request to cancel reaches the processes that run tasks', async () => {
  await web.requestCancels([idOf(1), idOf(2)]);
  await deliverMessages();
  expect(cancelled.mock.calls).toEqual([[idOf(1)], [idOf(2)]]);
});

it('a change made by request reaches all watching processes', async () => {
  const listener = jest.fn();
  worker.watch(idOf(1), listener, CHANGES);
  await deliverMessages();
  await web.changedByRequest([idOf(1)]);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
});

it('a listener for the end alone is called at the end alone, and not at the beginning for a new task', async () => {
  const listener = jest.fn();
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  worker.changed(idOf(1));
  await deliverMessages();
  expect(listener).not.toHaveBeenCalled();
  worker.changed(idOf(1), true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a listener is called for an end that came before the announcement of the watch', async () => {
  const listener = jest.fn();
  worker.changed(idOf(1));
  worker.changed(idOf(1), true);
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a task is announced again when one more listener wants every change', async () => {
  const [end, changes] = [jest.fn(), jest.fn()];
  watchNew(web, idOf(1), end);
  await deliverMessages();
  web.watch(idOf(1), changes, CHANGES);
  await deliverMessages();
  const before = changes.mock.calls.length;
  worker.changed(idOf(1));
  await deliverMessages();
  expect(changes.mock.calls.length).toBe(before + 1);
});

it('a poll also covers a new task when messages are lost', async () => {
  const listener = jest.fn();
  network.lossy = true;
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  expect(listener).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(2_000);
  await deliverMessages();
  expect(listener).toHaveBeenCalled();
});

/** A worker on a store that sends the message right behind the end, as Redis does. */
async function earlyWorker(): Promise<ChangeFeed> {
  const bus = network.bus();
  const early = new ChangeFeed(
    checked({
      ...bus,
      publishEnd: (id, [inbox = '']) => void bus.publish(inbox, JSON.stringify({ ids: [id] })),
    }),
  );
  await early.serve(cancelled);
  return early;
}

it('a listener is called once for an end that is announced while it is being stored', async () => {
  const listener = jest.fn();
  const early = await earlyWorker();
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  early.ending(idOf(1));
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  early.changed(idOf(1), true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  await early.close();
});

it('a watcher that comes while the end is being stored is told once too', async () => {
  const early = await earlyWorker();
  const late = new ChangeFeed(checked(network.bus()));
  const [listener, later] = [jest.fn(), jest.fn()];
  early.ending(idOf(1));
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  early.changed(idOf(1), true);
  watchNew(late, idOf(1), later);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  expect(later).toHaveBeenCalledTimes(1);
  await Promise.all([early.close(), late.close()]);
});

it('a listener is called again when a task ends whose earlier end could not be stored', async () => {
  const listener = jest.fn();
  const early = await earlyWorker();
  early.ending(idOf(1));
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  // The task runs again and then fails for good.
  early.changed(idOf(1), false);
  early.changed(idOf(1), true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(2);
  await early.close();
});

it('a success reaches listeners in this process and in others, and is not serialised without a watcher', async () => {
  const [here, there] = [jest.fn(), jest.fn()];
  watchNew(worker, idOf(1), here);
  watchNew(web, idOf(1), there);
  await deliverMessages();
  const write = jest.fn(() => successOf('Reports.build'));
  worker.changed(idOf(1), true, write);
  worker.changed(idOf(2), true, write);
  await deliverMessages();
  expect(here.mock.calls).toEqual([[successOf('Reports.build')]]);
  expect(there.mock.calls).toEqual([[successOf('Reports.build')]]);
  expect(write).toHaveBeenCalledTimes(2);
});

it('a success too large for a message is sent as a plain change, and many successes take several messages', async () => {
  const listeners = Array.from({ length: 5 }, () => jest.fn());
  for (const [task, listener] of listeners.entries()) watchNew(web, idOf(task), listener);
  await deliverMessages();
  network.sent.length = 0;
  const texts = ['ä'.repeat(4_000), 'x'.repeat(3_000), 'x'.repeat(3_000), 'x'.repeat(3_000), ''];
  for (const [task, text] of texts.entries()) worker.changed(idOf(task), true, () => successOf(text));
  await deliverMessages();
  expect(listeners[0]?.mock.calls).toEqual([[]]);
  for (const task of [1, 2, 3, 4]) expect(listeners[task]?.mock.calls).toEqual([[successOf(texts[task] ?? '')]]);
  expect(network.sent).toHaveLength(2);
});

it('a listener in the same process is called at the end alone when it wants no more', async () => {
  const listener = jest.fn();
  watchNew(worker, idOf(1), listener);
  await deliverMessages();
  worker.changed(idOf(1));
  expect(listener).not.toHaveBeenCalled();
  worker.changed(idOf(1), true);
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a worker remembers the end of a task for a while, whatever changes follow', async () => {
  worker.changed(idOf(1), true);
  await jest.advanceTimersByTimeAsync(2_000);
  worker.changed(idOf(1));
  const listener = jest.fn();
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a listener is called for an end just before in the same process', async () => {
  worker.changed(idOf(1), true);
  const listener = jest.fn();
  watchNew(worker, idOf(1), listener);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('a watched text that is no task id does not keep other tasks from being announced', async () => {
  const [unknown, listener] = [jest.fn(), jest.fn()];
  web.watch('no task id', unknown, CHANGES);
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  expect(unknown).toHaveBeenCalledTimes(1);
  worker.changed(idOf(1), true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('many changes made by request take few messages', async () => {
  network.sent.length = 0;
  await web.changedByRequest(Array.from({ length: 1_000 }, (_, task) => idOf(task)));
  expect(network.sent.length).toBeLessThan(10);
});

it.each(['not json', 'null', '[]', '5', '{"ids":[null]}', '{"ids":5}', '{"successes":[["q.1",5]]}', '{"repeat":1}'])(
  'the message %s is dropped on every channel, and later messages arrive',
  async (text) => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const listener = jest.fn();
    watchNew(web, idOf(1), listener);
    await deliverMessages();
    const inbox = network.channels.eventNames().find((channel) => String(channel).startsWith('inbox:')) as string;
    for (const channel of ['workers', 'watchers', inbox]) network.channels.emit(channel, text);
    expect(warn).toHaveBeenCalledTimes(3);
    expect(listener).not.toHaveBeenCalled();
    worker.changed(idOf(1), true);
    await deliverMessages();
    expect(listener).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  },
);

it('requests of a flood to announce all tasks again are obeyed at once and then once a second', async () => {
  const listener = jest.fn();
  web.watch(idOf(1), listener, CHANGES);
  await deliverMessages();
  network.sent.length = 0;
  for (let n = 0; n < 500; n++) {
    network.channels.emit('watchers', '{"v":1,"repeat":true}');
    await deliverMessages();
  }
  expect(network.sent).toEqual(['workers']);
  expect(listener).toHaveBeenCalledTimes(2);
  await jest.advanceTimersByTimeAsync(1_000);
  await deliverMessages();
  expect(network.sent).toEqual(['workers', 'workers']);
  expect(listener).toHaveBeenCalledTimes(3);
});

it('a message of a later version is dropped with one line, and the watched tasks are fetched', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
  const listener = jest.fn();
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  expect(listener).not.toHaveBeenCalled();
  const news = { v: 2, successes: { [idOf(1)]: 'in another form' } };
  for (let n = 0; n < 3; n++) network.channels.emit('watchers', JSON.stringify(news));
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(1);
  network.channels.emit('workers', '{"v":2,"type":"cancel","id":"q.1"}');
  await deliverMessages();
  expect(cancelled).not.toHaveBeenCalled();
  expect(warn.mock.calls.map(([line]) => line as string)).toEqual([
    expect.stringContaining('"watchers" was dropped: a later version of this package sent it'),
    expect.stringContaining('"workers" was dropped: a later version of this package sent it'),
  ]);
  warn.mockRestore();
});

/** Stores tasks, waits for each, and ends them, as a caller does who wants every result. */
async function waitForMany(first: number, count: number): Promise<void> {
  for (let task = first; task < first + count; task++) {
    const inbox = web.inboxFor([{ id: idOf(task) }]);
    const unwatch = watchNew(web, idOf(task), () => undefined);
    await deliverMessages();
    worker.taken(idOf(task), inbox);
    worker.changed(idOf(task), true);
    await deliverMessages();
    unwatch();
  }
}

it('a process that waits for most of its tasks names its inbox in the next ones, which need no request then', async () => {
  const [soon, late] = [jest.fn(), jest.fn()];
  expect(web.inboxFor([{ id: idOf(1) }])).toBeUndefined();
  await waitForMany(100, 10);
  const inbox = web.inboxFor([{ id: idOf(1) }, { id: idOf(2) }]);
  expect(inbox).toBeDefined();
  web.willStore([idOf(1), idOf(2)]);
  network.sent.length = 0;
  web.watch(idOf(1), soon, END);
  worker.taken(idOf(1), inbox);
  worker.changed(idOf(1));
  worker.changed(idOf(1), true, () => successOf('Reports.build'));
  await deliverMessages();
  expect(soon.mock.calls).toEqual([[successOf('Reports.build')]]);
  expect(network.sent).toEqual([`inbox:${inbox}`]);

  // The task ends before anything waits for it.
  worker.taken(idOf(2), inbox);
  worker.changed(idOf(2), true);
  await deliverMessages();
  web.watch(idOf(2), late, END);
  await deliverMessages();
  expect(late).toHaveBeenCalledTimes(1);
});

it('the worker that takes over a task tells the process that the task names', async () => {
  const listener = jest.fn();
  await waitForMany(100, 10);
  const inbox = web.inboxFor([{ id: idOf(1) }]);
  watchNew(web, idOf(1), listener);
  const second = new ChangeFeed(checked(network.bus()));
  await second.serve(cancelled);
  worker.taken(idOf(1), inbox);
  second.taken(idOf(1), inbox);
  second.changed(idOf(1), true);
  await deliverMessages();
  expect(listener).toHaveBeenCalled();
  await second.close();
});

it('a worker of an earlier version, which knows no inboxes in tasks, is asked by the first poll', async () => {
  const listener = jest.fn();
  await waitForMany(100, 10);
  expect(web.inboxFor([{ id: idOf(1) }])).toBeDefined();
  watchNew(web, idOf(1), listener);
  await deliverMessages();
  await jest.advanceTimersByTimeAsync(1_000);
  await deliverMessages();
  const before = listener.mock.calls.length;
  worker.changed(idOf(1), true);
  await deliverMessages();
  expect(listener).toHaveBeenCalledTimes(before + 1);
});

it('a process that stops waiting for its tasks stops naming its inbox', async () => {
  await waitForMany(100, 20);
  web.willStore([idOf(1), idOf(2), idOf(3), idOf(4), idOf(5), idOf(6), idOf(7)]);
  expect(web.inboxFor([{ id: idOf(8) }])).toBeUndefined();
});

it('a worker takes no notice of an inbox that is none', async () => {
  for (const inbox of [undefined, null, 7, '', 'workers', 'a:b', { inbox: 1 }, '0'.repeat(36)])
    worker.taken(idOf(1), inbox);
  network.sent.length = 0;
  worker.changed(idOf(1), true);
  await deliverMessages();
  expect(network.sent).toEqual([]);
});
