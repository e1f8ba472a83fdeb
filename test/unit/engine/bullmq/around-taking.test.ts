import { expect, it, jest } from '@jest/globals';
import { aroundTaking } from '../../../../lib/engine/bullmq/around-taking.js';

type Take = (token: string, name?: string) => Promise<unknown[]>;

const ask = jest.fn<Take>();
const backendOf = () => ({ moveToActive: ask as Take });

it('the steps change the answer in the order in which they were added', async () => {
  const backend = backendOf();
  aroundTaking(backend, { taken: ([job]) => [`${String(job)} first`] });
  aroundTaking(backend, {});
  aroundTaking(backend, { taken: ([job]) => [`${String(job)} second`] });
  ask.mockResolvedValueOnce(['job']);
  expect(await backend.moveToActive('token', 'worker')).toEqual(['job first second']);
  expect(ask.mock.calls).toEqual([['token', 'worker']]);
});

it('the steps change the error in the order in which they were added, and the answer no more', async () => {
  const backend = backendOf();
  const taken = jest.fn<(next: unknown[]) => unknown[]>();
  aroundTaking(backend, { taken });
  aroundTaking(backend, {
    failed: (error) => {
      throw new Error(`${(error as Error).message}, refused`);
    },
  });
  aroundTaking(backend, {
    failed: async (error) => {
      throw new Error(`${(error as Error).message}, after a pause`);
    },
  });
  ask.mockRejectedValueOnce(new Error('no answer'));
  await expect(backend.moveToActive('token')).rejects.toThrow('no answer, refused, after a pause');
  expect(taken).not.toHaveBeenCalled();
});

it('each request is told to the steps before it is made', async () => {
  const backend = backendOf();
  const told: string[] = [];
  aroundTaking(backend, { asks: () => told.push('first') });
  aroundTaking(backend, { asks: () => told.push('second') });
  ask.mockImplementationOnce(async () => {
    told.push('request');
    return ['job'];
  });
  await backend.moveToActive('token');
  expect(told).toEqual(['first', 'second', 'request']);
});

it('a step that is added after another change of the backend is outside of that change', async () => {
  const backend = backendOf();
  aroundTaking(backend, { taken: ([job]) => [`${String(job)} inside`] });
  const inside = backend.moveToActive;
  backend.moveToActive = async (token) => (token === 'ahead' ? ['job ahead'] : inside(token));
  aroundTaking(backend, { taken: ([job]) => [`${String(job)} outside`] });
  ask.mockResolvedValueOnce(['job']);
  expect(await backend.moveToActive('token')).toEqual(['job inside outside']);
  expect(await backend.moveToActive('ahead')).toEqual(['job ahead outside']);
});
