import { expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { isQueueName, newTaskId, queueOfTask } from '../../../lib/engine/task-id.js';
import { anyText } from '../../support/any-text.js';

it('queueOfTask finds the queue of any new id', () => {
  for (const queue of ['default', 'a', 'A-b_c9', 'x'.repeat(63)]) expect(queueOfTask(newTaskId(queue))).toBe(queue);
});

it('newTaskId never returns an id twice, and each id has 120 random bits', () => {
  const ids = Array.from({ length: 10_000 }, () => newTaskId('q'));
  expect(new Set(ids.map((id) => id.slice(4))).size).toBe(10_000);
  const lengths = new Set(ids.map((id) => Buffer.from(id.slice(4), 'base64url').length));
  expect([...lengths]).toEqual([15]);
});

it('ids of one second have the same beginning, and those of a later one come behind them', () => {
  const clock = jest.spyOn(Date, 'now');
  const beginnings = [0, 0.999, 1, 63, 64, 4_095].map((second) => {
    clock.mockReturnValue((4_096 * 1_000 + second) * 1_000);
    return newTaskId('q').slice(0, 4);
  });
  clock.mockRestore();
  expect(beginnings).toEqual(['q.--', 'q.--', 'q.-0', 'q.-z', 'q.0-', 'q.zz']);
  expect(beginnings).toEqual(beginnings.toSorted());
});

it('queueOfTask accepts nothing but an id', () => {
  fc.assert(
    fc.property(anyText({ maxLength: 200 }), (text) => {
      const queue = queueOfTask(text);
      if (queue !== undefined) expect(isQueueName(queue)).toBe(true);
      expect(queueOfTask(`${text}/../${newTaskId('q')}`)).toBeUndefined();
    }),
  );
});

it.each(['', 'a:b', 'a.b', '-a', 'ä', 'x'.repeat(64), 'a b', '../a'])(
  'isQueueName refuses the queue name %j',
  (name) => {
    expect(isQueueName(name)).toBe(false);
  },
);
