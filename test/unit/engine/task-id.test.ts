import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isQueueName, newTaskId, queueOfTask } from '../../../lib/engine/task-id.js';

it('queueOfTask finds the queue of any new id', () => {
  for (const queue of ['default', 'a', 'A-b_c9', 'x'.repeat(63)]) expect(queueOfTask(newTaskId(queue))).toBe(queue);
});

it('newTaskId never returns an id twice, and each id has 128 random bits', () => {
  const ids = Array.from({ length: 10_000 }, () => newTaskId('q'));
  expect(new Set(ids).size).toBe(10_000);
  for (const id of ids) expect(Buffer.from(id.slice(2), 'base64url')).toHaveLength(16);
});

it('queueOfTask accepts nothing but an id', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
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
