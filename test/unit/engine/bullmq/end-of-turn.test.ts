import { expect, it, jest } from '@jest/globals';
import { EndOfTurn } from '../../../../lib/engine/bullmq/end-of-turn.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The time of the process stands still, so that the speed of the machine decides nothing. */
function stopTime(): jest.Spied<typeof performance.now> {
  return jest.spyOn(performance, 'now').mockReturnValue(1_000);
}

it('what comes alone waits for the callback that brought it, with its promises, and not for the turn', async () => {
  const happened: string[] = [];
  const endOfTurn = new EndOfTurn(() => happened.push('action'));
  setImmediate(() => happened.push('turn'));
  endOfTurn.schedule();
  await Promise.resolve();
  endOfTurn.schedule();
  happened.push('callback');
  await turn();
  expect(happened).toEqual(['callback', 'action', 'turn']);
});

it('what comes within a millisecond after the last call waits for the end of the turn', async () => {
  const now = stopTime();
  try {
    const happened: string[] = [];
    const endOfTurn = new EndOfTurn(() => happened.push('action'));
    endOfTurn.schedule();
    await turn();
    now.mockReturnValue(1_000.9);
    endOfTurn.schedule();
    process.nextTick(() => happened.push('another callback'));
    await turn();
    await turn();
    now.mockReturnValue(1_002);
    endOfTurn.schedule();
    process.nextTick(() => happened.push('a late callback'));
    await turn();
    expect(happened).toEqual(['action', 'another callback', 'action', 'action', 'a late callback']);
  } finally {
    now.mockRestore();
  }
});

it('what comes while the action runs is for another call', async () => {
  let calls = 0;
  const endOfTurn = new EndOfTurn(() => {
    if (++calls === 1) endOfTurn.schedule();
  });
  endOfTurn.schedule();
  await turn();
  await turn();
  expect(calls).toBe(2);
});
