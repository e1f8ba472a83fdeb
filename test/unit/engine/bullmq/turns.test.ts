import { expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Turns } from '../../../../lib/engine/bullmq/turns.js';
import { EngineUnavailableError } from '../../../../lib/errors.js';
import { Gate } from '../../../support/gate.js';

it('so many calls run at a time, and the others follow in their order', async () => {
  const turns = new Turns(2);
  const gates = Array.from({ length: 5 }, () => new Gate());
  const begun: number[] = [];
  const calls = gates.map((gate, index) =>
    turns.take(async () => {
      begun.push(index);
      await gate.opened;
      return index * 10;
    }),
  );
  await turn();
  expect(begun).toEqual([0, 1]);
  gates[1]?.open();
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  for (const gate of gates) gate.open();
  expect(await Promise.all(calls)).toEqual([0, 10, 20, 30, 40]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(await turns.take(async () => 'again')).toBe('again');
});

it('a call that fails leaves its turn to the next one', async () => {
  const turns = new Turns(1);
  const failed = turns.take(() => Promise.reject(new Error('no')));
  const next = turns.take(async () => 'next');
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('next');
});

it('calls that waited while the store did not answer fail with the call that asked it, and later ones do not', async () => {
  const turns = new Turns(1);
  const gate = new Gate();
  const error = new EngineUnavailableError('the store does not answer');
  // Its turn comes at once, and lasts.
  const first = turns.take(() => gate.opened);
  const asked = turns.take(() => Promise.reject(error));
  const waited = Array.from({ length: 3 }, () => turns.take(async () => 'stored'));
  const ends = Promise.allSettled([asked, ...waited]);
  gate.open();
  await first;
  expect(await ends).toEqual(Array.from({ length: 4 }, () => ({ status: 'rejected', reason: error })));
  expect(await turns.take(async () => 'stored')).toBe('stored');
});
