import { expect, it, jest } from '@jest/globals';
import type { TaskChange } from '../../../lib/engine/ports/event-port.js';
import { EventListener } from '../../../lib/events/event-listener.js';
import { Gate } from '../../support/gate.js';

const NOBODY = new Set<EventListener>();

function change(id: number): TaskChange {
  return { type: 'failed', record: { id: `q.${id}`, name: 'Work.run' } } as TaskChange;
}

it('keeps a bounded number of events, drops the oldest, and warns once', async () => {
  const gate = new Gate();
  const got: string[] = [];
  const warn = jest.fn();
  const listener = new EventListener({
    name: 'Audit.on',
    subscriptions: [],
    call: async ({ record }) => {
      got.push(record.id);
      await gate.opened;
    },
    logger: { warn, error: jest.fn() },
  });
  for (let id = 0; id < 100; id++) listener.add(change(id), NOBODY);
  await new Promise(setImmediate);
  expect(got).toHaveLength(100);
  for (let id = 100; id < 10_105; id++) listener.add(change(id), NOBODY);
  await new Promise(setImmediate);
  expect([got.length, listener.unfinished]).toEqual([100, 10_100]);
  expect(warn.mock.calls).toEqual([
    [expect.stringContaining('Listener Audit.on is too slow: 100 of its events are under way')],
  ]);
  gate.open();
  await listener.idle();
  expect(got).toHaveLength(10_100);
  // The five that waited longest are missing.
  expect(got.slice(99, 102)).toEqual(['q.99', 'q.105', 'q.106']);
});

it('is idle at once after it was given up', async () => {
  const listener = new EventListener({
    name: 'Audit.on',
    subscriptions: [],
    call: () => new Promise(() => undefined),
    logger: { warn: jest.fn(), error: jest.fn() },
  });
  listener.add(change(1), NOBODY);
  const idle = listener.idle();
  await new Promise(setImmediate);
  listener.giveUp();
  await idle;
  expect(listener.unfinished).toBe(0);
});

it('survives a logger that throws', async () => {
  const error = jest.fn(() => {
    throw new Error('the logger is broken');
  });
  const call = jest.fn(async () => {
    throw new Error('no');
  });
  const listener = new EventListener({ name: 'Audit.on', subscriptions: [], call, logger: { warn: jest.fn(), error } });
  listener.add(change(1), NOBODY);
  listener.add(change(2), NOBODY);
  await listener.idle();
  expect([call.mock.calls.length, error.mock.calls.length]).toEqual([2, 2]);
});
