import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { PoolClient } from 'pg';
import { startHeartbeat } from '../../../../../lib/engine/bullmq/postgres/safe-pool.js';

/** Milliseconds between two heartbeats, and the longest wait for an answer. */
const BEAT = 5_000;

describe('the heartbeat of a connection that listens', () => {
  const query = jest.fn<() => Promise<unknown>>();
  const cut = jest.fn();
  let stop: () => void;

  beforeEach(() => {
    jest.useFakeTimers();
    query.mockReset().mockResolvedValue({ rows: [{ readOnly: 'off' }] });
    cut.mockReset();
    const stream = { resetAndDestroy: cut, destroy: () => undefined };
    stop = startHeartbeat({ query, connection: { stream } } as unknown as PoolClient);
  });
  afterEach(() => {
    stop();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
  const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

  it('leaves a connection that answers alone', async () => {
    await pass(10 * BEAT);
    expect(query.mock.calls.length).toBeGreaterThan(5);
    expect(cut).not.toHaveBeenCalled();
  });

  it('cuts a connection that does not answer', async () => {
    query.mockReturnValue(new Promise(() => undefined));
    await pass(2 * BEAT - 1);
    expect(cut).not.toHaveBeenCalled();
    await pass(1);
    expect(cut).toHaveBeenCalledTimes(1);
  });

  it('cuts a connection to a server that takes no writes: it is not the primary any more', async () => {
    query.mockResolvedValue({ rows: [{ readOnly: 'on' }] });
    await pass(BEAT);
    expect(cut).toHaveBeenCalledTimes(1);
  });

  it('leaves a connection alone on which the question fails: pg reports by itself that it broke', async () => {
    query.mockRejectedValue(new Error('Connection terminated'));
    await pass(3 * BEAT);
    expect(cut).not.toHaveBeenCalled();
  });
});
