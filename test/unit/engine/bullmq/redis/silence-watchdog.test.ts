import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { cutWhenSilent } from '../../../../../lib/engine/bullmq/redis/silence-watchdog.js';

class Connection {
  bytesRead = 0;
  readonly destroy = jest.fn<(error?: Error) => never>();
}

class Client extends EventEmitter {
  stream = new Connection();
  commandQueue = { length: 0 };
}

let client: Client;

beforeEach(() => {
  jest.useFakeTimers();
  client = new Client();
  cutWhenSilent(client as unknown as Redis, 7_000);
});
afterEach(() => void jest.useRealTimers());

it('the watchdog cuts a connection that owes an answer and sends nothing', () => {
  client.commandQueue.length = 1;
  jest.advanceTimersByTime(6_900);
  expect(client.stream.destroy).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1_100);
  expect(client.stream.destroy).toHaveBeenCalledTimes(1);
  expect(client.stream.destroy.mock.calls[0]?.[0]?.message).toContain('Socket timeout');
});

it('the watchdog leaves a connection that owes nothing', () => {
  jest.advanceTimersByTime(60_000);
  expect(client.stream.destroy).not.toHaveBeenCalled();
});

it('the watchdog leaves a connection that sends data now and then, however many answers it owes', () => {
  client.commandQueue.length = 100;
  for (let times = 0; times < 10; times++) {
    jest.advanceTimersByTime(6_000);
    client.stream.bytesRead += 5;
  }
  expect(client.stream.destroy).not.toHaveBeenCalled();
});

it('a new connection gets the whole time limit', () => {
  client.commandQueue.length = 1;
  jest.advanceTimersByTime(6_000);
  const before = client.stream;
  client.stream = new Connection();
  jest.advanceTimersByTime(6_000);
  expect(before.destroy).not.toHaveBeenCalled();
  expect(client.stream.destroy).not.toHaveBeenCalled();
  jest.advanceTimersByTime(3_000);
  expect(client.stream.destroy).toHaveBeenCalledTimes(1);
});

it('the watchdog does not count the time in which this process was blocked', () => {
  client.commandQueue.length = 1;
  jest.advanceTimersByTime(5_000);
  // The timer is a minute late, and runs before Node reads from the network.
  jest.setSystemTime(Date.now() + 60_000);
  jest.advanceTimersByTime(1_000);
  expect(client.stream.destroy).not.toHaveBeenCalled();
});

it('the watchdog stops when its client ends', () => {
  client.emit('end');
  expect(jest.getTimerCount()).toBe(0);
});
