import { describe, expect, it, jest } from '@jest/globals';
import { leaseWithin } from '../../../lib/engine/lease-within.js';

describe('leaseWithin()', () => {
  it('gives up a lease that takes too long, and returns the client that comes later', async () => {
    const client = { release: jest.fn() };
    let come: (late: typeof client) => void = () => undefined;
    const pool = { connect: () => new Promise<typeof client>((resolve) => (come = resolve)) };
    await expect(leaseWithin(pool, 20)).rejects.toThrow('The pool has given no connection within 0.02 s');
    come(client);
    await Promise.resolve();
    expect(client.release).toHaveBeenCalledTimes(1);
  });

  it('passes a client in time on, and an error', async () => {
    const client = { release: jest.fn() };
    await expect(leaseWithin({ connect: () => Promise.resolve(client) }, 1_000)).resolves.toBe(client);
    await expect(leaseWithin({ connect: () => Promise.reject(new Error('refused')) }, 1_000)).rejects.toThrow(
      'refused',
    );
    expect(client.release).not.toHaveBeenCalled();
  });
});
