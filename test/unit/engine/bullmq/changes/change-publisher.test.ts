import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  RECENT_CHANGES,
  WATCH_REQUEST_LIFE,
  type ChangeMessage,
} from '../../../../../lib/engine/bullmq/changes/change-protocol.js';
import { ChangePublisher, type OnCancelRequest } from '../../../../../lib/engine/bullmq/changes/change-publisher.js';
import type { CheckedBus } from '../../../../../lib/engine/bullmq/checked-bus.js';
import { LARGEST_MESSAGE, type MessageBus } from '../../../../../lib/engine/bullmq/message-bus.js';

const publish = jest.fn<CheckedBus['publish']>();
const publishEnd = jest.fn<(id: string, channels: readonly string[]) => void>();
const prepare = jest.fn<CheckedBus['prepare']>();
const onCancelRequest = jest.fn<OnCancelRequest>();
let publisher: ChangePublisher;

/** A publisher on a bus that can put a message behind the end of a task (Redis), or cannot (PostgreSQL). */
function publisherOn(end: MessageBus['publishEnd']): ChangePublisher {
  return new ChangePublisher(
    { publish, publishEnd: end, prepare, largestMessage: LARGEST_MESSAGE },
    'inbox:own',
    onCancelRequest,
  );
}

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  jest.resetAllMocks();
  publish.mockResolvedValue();
  publisher = publisherOn(undefined);
});
afterEach(() => {
  publisher.close();
  jest.useRealTimers();
});

function watch(ids: readonly string[], { inbox = 'inbox:a', endOnly = false } = {}): void {
  publisher.receive({ type: 'watch', ids, inbox, endOnly });
}

/** The messages since the last call, once this turn of the event loop is over. */
async function sent(): Promise<(readonly [channel: string, message: ChangeMessage])[]> {
  await new Promise(setImmediate);
  return publish.mock.calls.splice(0).map(([channel, message]) => [channel, message as ChangeMessage]);
}

describe('a request', () => {
  it('to cancel goes to the consumers', () => {
    publisher.receive({ type: 'cancel', id: 'q.1' });
    expect(onCancelRequest.mock.calls).toEqual([['q.1']]);
  });

  it('of the same process is ignored, because its watchers are called without a message', async () => {
    watch(['q.1'], { inbox: 'inbox:own' });
    publisher.changed('q.1', true);
    expect(await sent()).toEqual([]);
  });

  it('that is repeated lives on, and is forgotten after its life', async () => {
    watch(['q.1']);
    jest.advanceTimersByTime(WATCH_REQUEST_LIFE - 1);
    watch(['q.1']);
    jest.advanceTimersByTime(WATCH_REQUEST_LIFE - 1);
    publisher.changed('q.1', false);
    expect(await sent()).toEqual([['inbox:a', { ids: ['q.1'] }]]);
    jest.advanceTimersByTime(2 * RECENT_CHANGES);
    publisher.changed('q.1', false);
    expect(await sent()).toEqual([]);
  });

  it('that is forgotten for one process stays for another', async () => {
    watch(['q.1'], { inbox: 'inbox:a' });
    jest.advanceTimersByTime(WATCH_REQUEST_LIFE - 1);
    watch(['q.1'], { inbox: 'inbox:b' });
    jest.advanceTimersByTime(2 * RECENT_CHANGES);
    publisher.changed('q.1', false);
    expect(await sent()).toEqual([['inbox:b', { ids: ['q.1'] }]]);
  });

  it.each([
    { first: true, second: false, messages: 1 },
    { first: false, second: true, messages: 0 },
  ])('with endOnly $second replaces one with endOnly $first', async ({ first, second, messages }) => {
    watch(['q.1'], { endOnly: first });
    watch(['q.1'], { endOnly: second });
    publisher.changed('q.1', false);
    expect(await sent()).toHaveLength(messages);
  });

  it.each([
    { change: 'a change', isEnd: false, endOnly: false, messages: 1 },
    { change: 'a change', isEnd: false, endOnly: true, messages: 0 },
    { change: 'an end', isEnd: true, endOnly: false, messages: 1 },
    { change: 'an end', isEnd: true, endOnly: true, messages: 1 },
  ])('with endOnly $endOnly gets $messages messages for $change just before', async ({ isEnd, endOnly, messages }) => {
    publisher.changed('q.1', isEnd);
    watch(['q.1'], { endOnly });
    expect(await sent()).toHaveLength(messages);
  });
});

describe('a change', () => {
  it('goes to each process with a watcher of the task, and to no other', async () => {
    watch(['q.1', 'q.2'], { inbox: 'inbox:a' });
    watch(['q.1'], { inbox: 'inbox:b' });
    watch(['q.3'], { inbox: 'inbox:c' });
    publisher.changed('q.1', false);
    publisher.changed('q.2', false);
    expect(await sent()).toEqual([
      ['inbox:a', { ids: ['q.1', 'q.2'] }],
      ['inbox:b', { ids: ['q.1'] }],
    ]);
  });

  it('that comes twice in one turn of the event loop is sent once, as the later one', async () => {
    watch(['q.1']);
    publisher.changed('q.1', false);
    publisher.changed('q.1', true, () => ['Mail.send']);
    expect(await sent()).toEqual([['inbox:a', { successes: [['q.1', ['Mail.send']]] }]]);
  });

  it('that cannot be published is lost without an error, and the next one is sent', async () => {
    watch(['q.1']);
    publish.mockRejectedValueOnce(new Error('no connection'));
    publisher.changed('q.1', false);
    expect(await sent()).toHaveLength(1);
    publisher.changed('q.1', false);
    expect(await sent()).toHaveLength(1);
  });

  it.each([
    ['a change', false, { changes: true, ends: false }],
    ['an end', true, { changes: true, ends: true }],
  ])('is remembered for at least a period and for at most two: %s', (_, isEnd, { changes, ends }) => {
    publisher.changed('q.1', isEnd);
    jest.advanceTimersByTime(2 * RECENT_CHANGES - 1);
    expect([publisher.hasJustChanged('q.1', false), publisher.hasJustChanged('q.1', true)]).toEqual([changes, ends]);
    jest.advanceTimersByTime(1);
    expect([publisher.hasJustChanged('q.1', false), publisher.hasJustChanged('q.1', true)]).toEqual([false, false]);
  });
});

it('leaves no timer behind once it is closed', () => {
  publisher.close();
  expect(jest.getTimerCount()).toBe(0);
});

describe('the announcement of an end', () => {
  beforeEach(() => {
    publisher.close();
    publisher = publisherOn(publishEnd);
  });

  it('goes to all processes with a watcher at once', () => {
    watch(['q.1'], { inbox: 'inbox:a', endOnly: true });
    watch(['q.1'], { inbox: 'inbox:b' });
    publisher.announceEnd('q.1');
    expect(publishEnd.mock.calls).toEqual([['q.1', ['inbox:a', 'inbox:b']]]);
  });

  it('costs nothing without a watcher', () => {
    publisher.announceEnd('q.1');
    expect(publishEnd).not.toHaveBeenCalled();
  });

  it('goes to a watcher that comes before the end is stored, once', () => {
    publisher.announceEnd('q.1');
    watch(['q.1']);
    watch(['q.1']);
    expect(publishEnd.mock.calls).toEqual([['q.1', ['inbox:a']]]);
  });

  it('goes to a watcher that comes right after the end, with what is stored of it', async () => {
    publisher.changed('q.1', true);
    watch(['q.1'], { endOnly: true });
    expect(publishEnd.mock.calls).toEqual([['q.1', ['inbox:a']]]);
    expect(await sent()).toEqual([]);
  });

  it('is left out for many tasks, which the watcher fetches with one call', async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `q.${n}`);
    for (const id of ids) publisher.changed(id, true);
    watch(ids, { endOnly: true });
    expect(publishEnd).not.toHaveBeenCalled();
    expect(await sent()).toEqual([['inbox:a', { ids }]]);
  });

  it('replaces the message about the end', async () => {
    watch(['q.1']);
    publisher.announceEnd('q.1');
    publisher.changed('q.1', true);
    expect(await sent()).toEqual([]);
  });

  it('does not replace the message about a later change', async () => {
    watch(['q.1']);
    publisher.announceEnd('q.1');
    publisher.changed('q.1', true);
    publisher.changed('q.1', true);
    expect(await sent()).toEqual([['inbox:a', { ids: ['q.1'] }]]);
  });

  it('is not made for an end that turned out to be a retry: the change is sent', async () => {
    watch(['q.1']);
    publisher.announceEnd('q.1');
    publisher.changed('q.1', false);
    expect(await sent()).toEqual([['inbox:a', { ids: ['q.1'] }]]);
  });

  it('counts for one period: of an end that takes longer to store, a message is sent', async () => {
    watch(['q.1']);
    publisher.announceEnd('q.1');
    jest.advanceTimersByTime(RECENT_CHANGES);
    publisher.changed('q.1', true);
    expect(await sent()).toEqual([['inbox:a', { ids: ['q.1'] }]]);
  });
});

it('sends the message about an end where the bus cannot announce it', async () => {
  watch(['q.1']);
  publisher.announceEnd('q.1');
  publisher.changed('q.1', true);
  expect(await sent()).toEqual([['inbox:a', { ids: ['q.1'] }]]);
});

describe('the messages that go with the statement that stores an end', () => {
  const success = () => ['Mail.send'];

  beforeEach(() => {
    prepare.mockImplementation((channel, message) => ({ channel, message: JSON.stringify(message) }));
  });

  it('tell each watcher, and replace the message about the end', async () => {
    watch(['q.1'], { inbox: 'inbox:a', endOnly: true });
    watch(['q.1'], { inbox: 'inbox:b' });
    expect(publisher.endMessages('q.1', success).map(({ channel }) => channel)).toEqual(['inbox:a', 'inbox:b']);
    publisher.changed('q.1', true, success);
    expect(await sent()).toEqual([]);
  });

  it('cost nothing without a watcher', () => {
    const unread = jest.fn(success);
    expect(publisher.endMessages('q.1', unread)).toEqual([]);
    expect(unread).not.toHaveBeenCalled();
  });

  it('leave a watcher that comes while the end is stored to the message about it', async () => {
    watch(['q.1'], { inbox: 'inbox:a' });
    publisher.endMessages('q.1', success);
    watch(['q.1'], { inbox: 'inbox:b' });
    publisher.changed('q.1', true, success);
    expect(await sent()).toEqual([['inbox:b', { successes: [['q.1', ['Mail.send']]] }]]);
  });

  it('of a statement that failed have told no watcher', async () => {
    watch(['q.1']);
    publisher.endMessages('q.1', success);
    publisher.endFailed('q.1');
    publisher.changed('q.1', true, success);
    expect(await sent()).toHaveLength(1);
  });

  it('are none while the bus cannot send', async () => {
    prepare.mockReturnValue(undefined);
    watch(['q.1']);
    expect(publisher.endMessages('q.1', success)).toEqual([]);
    publisher.changed('q.1', true, success);
    expect(await sent()).toHaveLength(1);
  });
});
