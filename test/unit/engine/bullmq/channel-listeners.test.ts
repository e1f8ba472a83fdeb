import { beforeEach, expect, it, jest } from '@jest/globals';
import { ChannelListeners } from '../../../../lib/engine/bullmq/channel-listeners.js';

const subscribe = jest.fn<() => Promise<void>>();
const unsubscribe = jest.fn<() => Promise<void>>();
let listeners: ChannelListeners;

beforeEach(() => {
  for (const mock of [subscribe, unsubscribe]) mock.mockReset().mockResolvedValue();
  listeners = new ChannelListeners();
});

const add = (channel: string, listener: () => void) => listeners.add(channel, listener, subscribe, unsubscribe);

it('a message reaches the listeners of its channel', async () => {
  const [a, b] = [jest.fn(), jest.fn()];
  await add('a', a);
  await add('b', b);
  listeners.deliver('a', 'hello');
  expect(a.mock.calls).toEqual([['hello']]);
  expect(b).not.toHaveBeenCalled();
  expect(listeners.channels).toEqual(['a', 'b']);
});

it('the channel is left with its last listener', async () => {
  const [first, second] = await Promise.all([add('a', () => undefined), add('a', () => undefined)]);
  await first();
  await first();
  expect(unsubscribe).not.toHaveBeenCalled();
  unsubscribe.mockRejectedValue(new Error('the server is gone'));
  await second();
  expect(unsubscribe).toHaveBeenCalledTimes(1);
  expect(listeners.channels).toEqual([]);
});

it('a listener whose subscription fails is removed, and the channel with it', async () => {
  subscribe.mockRejectedValueOnce(new Error('no answer'));
  await expect(add('a', () => undefined)).rejects.toThrow('no answer');
  expect(listeners.channels).toEqual([]);
});
