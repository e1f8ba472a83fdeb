import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { IQueueBackend } from 'bullmq';
import type { Clock } from '../../../../lib/engine/bullmq/clock.js';
import { waitByOwnClock } from '../../../../lib/engine/bullmq/patched-backend-time.js';

const BEHIND = 3_600_000;
const SERVER_TIME = Date.UTC(2026, 0, 1);
const measure = jest.fn<() => Promise<void>>();
const clock = { difference: BEHIND, isTrusted: true, measure };
const take = jest.fn<() => Promise<unknown[]>>();
const end = jest.fn<(...args: unknown[]) => Promise<{ result: unknown; finishedOn: number }>>();
const wait = jest.fn<() => Promise<{ member: string; score: number } | null>>();
let backend: IQueueBackend;

beforeEach(() => {
  jest.resetAllMocks();
  clock.isTrusted = true;
  measure.mockImplementation(async () => void (clock.isTrusted = true));
  take.mockResolvedValue([null, '', 0, SERVER_TIME]);
  end.mockResolvedValue({ result: [null, '', 0, SERVER_TIME], finishedOn: 5_000 });
  const bare = { moveToActive: take, moveToCompleted: end, moveToFailed: end, moveToDelayed: take, waitForJob: wait };
  backend = waitByOwnClock(bare as unknown as IQueueBackend, clock as Partial<Clock> as Clock);
});

describe('a worker whose clock is an hour behind', () => {
  it('learns by its own clock when the next job is due', async () => {
    const next = [null, '', 0, SERVER_TIME - BEHIND];
    expect(await backend.moveToActive('token')).toEqual(next);
    expect(await backend.moveToDelayed('id', 1, 2)).toEqual(next);
    wait.mockResolvedValueOnce({ member: '0', score: SERVER_TIME });
    expect(await backend.waitForJob(5)).toEqual({ member: '0', score: SERVER_TIME - BEHIND });
  });

  it('still learns that a job waits now, or none is due', async () => {
    take.mockResolvedValue([{ id: 'a' }, 'a', 0, 0]);
    expect(await backend.moveToActive('token')).toEqual([{ id: 'a' }, 'a', 0, 0]);
    wait.mockResolvedValueOnce({ member: '0', score: 0 });
    expect(await backend.waitForJob(5)).toEqual({ member: '0', score: 0 });
    wait.mockResolvedValueOnce(null);
    expect(await backend.waitForJob(5)).toBeNull();
  });

  it.each(['moveToCompleted', 'moveToFailed'] as const)(
    'learns from %s when the job ended by the server',
    async (name) => {
      const { finishedOn, result } = await backend[name]({} as never, 'x', false, 'token', true);
      expect(finishedOn).toBe(5_000 + BEHIND);
      expect(result).toEqual([null, '', 0, SERVER_TIME - BEHIND]);
    },
  );
});

describe('while the difference is unknown', () => {
  beforeEach(() => void (clock.isTrusted = false));

  it('the worker takes no job before it is measured', async () => {
    let measured: () => void = () => undefined;
    measure.mockReturnValueOnce(new Promise((resolve) => (measured = resolve)));
    const taking = backend.moveToActive('token');
    expect(take).not.toHaveBeenCalled();
    measured();
    await taking;
    expect(take).toHaveBeenCalledTimes(1);
  });

  it('the worker takes no job when it stores an end', async () => {
    await backend.moveToCompleted({} as never, 'x', false, 'token', true);
    expect(end.mock.lastCall?.[4]).toBe(false);
  });

  it('the worker takes no job when it cannot be measured', async () => {
    measure.mockRejectedValueOnce(new Error('connect ECONNREFUSED'));
    await expect(backend.moveToActive('token')).rejects.toThrow('ECONNREFUSED');
    expect(take).not.toHaveBeenCalled();
  });
});
