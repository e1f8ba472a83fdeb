import { EventEmitter } from 'node:events';
import { beforeEach, expect, it, jest } from '@jest/globals';
import type { Pool } from 'pg';
import { PoolDeadline } from '../../../../../lib/engine/bullmq/call-deadline.js';
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

const safe = (prepare?: Parameters<typeof safePool>[2]) =>
  safePool(pool as unknown as Pool, new PoolDeadline(), prepare);

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

it('the preparation of a client is undone before the client goes back', async () => {
  const steps: string[] = [];
  pool.client.release = () => void steps.push('released');
  const client = await safe(async () => async () => void steps.push('undone')).connect();
  client.release();
  await Promise.resolve();
  await new Promise(setImmediate);
  expect(steps).toEqual(['undone', 'released']);
});

it('a client that cannot be prepared is destroyed', async () => {
  const failure = new Error('no such schema');
  await expect(safe(() => Promise.reject(failure)).connect()).rejects.toBe(failure);
  expect(pool.client.released).toHaveBeenCalledWith(true);
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
