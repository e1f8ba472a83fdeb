import { afterEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { withBareCopies } from '../../../../../lib/engine/bullmq/redis/patched-redis-backend.js';

/** Lazy clients: none of them connects. */
const clients: Redis[] = [];
const lazyClient = () => remember(new Redis({ lazyConnect: true }));
const remember = (client: Redis) => {
  clients.push(client);
  return client;
};
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

const hasScript = (client: Redis, name: string) => name in client;
const script = { numberOfKeys: 0, lua: 'return 1' };

it('a copy of the client defines no scripts', () => {
  const client = withBareCopies(lazyClient(), () => undefined) as Redis;
  const copy = remember(client.duplicate());
  copy.defineCommand('testScript', script);
  expect(hasScript(copy, 'testScript')).toBe(false);
});

it('the client itself still defines scripts', () => {
  const client = withBareCopies(lazyClient(), () => undefined) as Redis;
  client.defineCommand('testScript', script);
  expect(hasScript(client, 'testScript')).toBe(true);
});
