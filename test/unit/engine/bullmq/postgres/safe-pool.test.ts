import { EventEmitter } from 'node:events';
import { beforeEach, expect, it, jest } from '@jest/globals';
import type { Pool } from 'pg';
import { PoolDeadline } from '../../../../../lib/engine/bullmq/call-deadline.js';
import { PortableStatements } from '../../../../../lib/engine/bullmq/postgres/portable-statements.js';
import { safePool } from '../../../../../lib/engine/bullmq/postgres/safe-pool.js';

class FakeClient extends EventEmitter {
  readonly released = jest.fn<(destroy?: Error | boolean) => void>();
  release: (destroy?: Error | boolean) => void = (destroy) => this.released(destroy);
  readonly query = jest.fn<() => Promise<unknown>>().mockResolvedValue({ rows: [] });
}

class FakePool extends EventEmitter {
  client = new FakeClient();
  readonly connect = async () => this.client;
}

let pool: FakePool;
beforeEach(() => {
  pool = new FakePool();
});

const safe = (onLease?: Parameters<typeof safePool>[0]['onLease']) =>
  safePool({
    pool: pool as unknown as Pool,
    deadline: new PoolDeadline(),
    statements: new PortableStatements('tasks', 'statement'),
    ...(onLease && { onLease }),
  });

it('a client that is released twice goes back to its pool once', async () => {
  const client = await safe().connect();
  client.release();
  client.release();
  expect(pool.client.released).toHaveBeenCalledTimes(1);
});

it('a client whose connection breaks while it is checked out ends no process', async () => {
  await safe().connect();
  expect(() => pool.client.emit('error', new Error('Connection terminated unexpectedly'))).not.toThrow();
});

it('a client goes back without the listeners that were added, and without what was started on it', async () => {
  const stop = jest.fn();
  const client = await safe(() => stop).connect();
  const received: unknown[] = [];
  client.on('notification', (notification) => received.push(notification));
  pool.client.emit('notification', 1);
  client.release();
  pool.client.emit('notification', 2);
  expect(received).toEqual([1]);
  expect(stop).toHaveBeenCalledTimes(1);
});

it('a listener of another user of the client stays', async () => {
  const received: unknown[] = [];
  pool.client.on('notification', (notification) => received.push(notification));
  const client = await safe().connect();
  client.on('notification', () => undefined);
  client.removeAllListeners('notification');
  pool.client.emit('notification', 1);
  expect(received).toEqual([1]);
});

it('a connection is kept after an error of the server, and dropped after any other', async () => {
  const queries = safe();
  pool.client.query.mockRejectedValueOnce(Object.assign(new Error('syntax error'), { severity: 'ERROR' }));
  await expect(queries.query('SELEC 1')).rejects.toThrow('syntax error');
  expect(pool.client.released).toHaveBeenLastCalledWith(false);
  pool.client = new FakeClient();
  pool.client.query.mockRejectedValueOnce(new Error('Connection terminated'));
  await expect(queries.query('SELECT 1')).rejects.toThrow('Connection terminated');
  expect(pool.client.released).toHaveBeenLastCalledWith(true);
});
