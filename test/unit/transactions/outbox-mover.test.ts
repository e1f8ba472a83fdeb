import { describe, expect, test } from '@jest/globals';
import { answerId } from '../../../lib/engine/call-answer.js';
import type { Receipt, TaskCall } from '../../../lib/engine/task.js';
import { newTaskId } from '../../../lib/engine/task-id.js';
import { EngineUnavailableError, IdempotencyConflictError } from '../../../lib/errors.js';
import { FORMAT, readContent, rowsOfCalls } from '../../../lib/transactions/outbox/outbox-format.js';
import { OutboxMover } from '../../../lib/transactions/outbox/outbox-mover.js';
import { ONE_SHARD } from '../../../lib/engine/shards/topology.js';

const HOUR = 3_600_000;

function call(name: string, more: Partial<TaskCall> = {}): TaskCall {
  return { id: newTaskId('default'), name, queue: 'default', args: [], headers: {}, options: {}, ...more };
}

const payloadOf = (...calls: TaskCall[]) => rowsOfCalls(calls)[0]?.payload as string;

/** An engine that refuses the calls of these names. */
function engine(refuse: (name: string) => Error | undefined = () => undefined) {
  const stored: TaskCall[] = [];
  const store = async (calls: readonly TaskCall[]): Promise<Receipt[]> => {
    for (const { name } of calls) {
      const error = refuse(name);
      if (error) throw error;
    }
    stored.push(...calls);
    return calls.map(({ id }) => ({ id, deduplicated: false, state: 'queued' }));
  };
  const port = {
    enqueue: store,
    enqueueTree: async (tree: TaskCall) => (await store([tree]))[0] as Receipt,
    find: async () => undefined,
    isStored: async () => false,
    now: () => 1_000,
  };
  return { stored, mover: new OutboxMover({ engine: port, resultTtlOf: () => 24 * HOUR, topology: ONE_SHARD }) };
}

describe('OutboxMover', () => {
  test('stores the calls of all rows in their order', async () => {
    const { stored, mover } = engine();
    const rows = [
      { seq: '1', payload: payloadOf(call('a'), call('b')) },
      { seq: '2', payload: payloadOf(call('c')) },
    ];
    expect(await mover.move(rows)).toEqual({ moved: ['1', '2'], rejected: [] });
    expect(stored.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  test('rejects the row of a call that the engine refuses, and moves the others', async () => {
    const { stored, mover } = engine((name) => (name === 'poison' ? new Error('unsupported') : undefined));
    const rows = ['a', 'poison', 'b', 'c'].map((name, index) => ({ seq: `${index}`, payload: payloadOf(call(name)) }));
    expect(await mover.move(rows)).toEqual({ moved: ['0', '2', '3'], rejected: [{ seq: '1', reason: 'unsupported' }] });
    expect(stored.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  test('rejects nothing when the engine refuses everything: the reason is hardly in the calls', async () => {
    const { mover } = engine(() => new Error('out of memory'));
    const rows = ['a', 'b'].map((name, index) => ({ seq: `${index}`, payload: payloadOf(call(name)) }));
    const batch = await mover.move(rows);
    expect(batch).toMatchObject({ moved: [], rejected: [], interruption: { message: 'row 0: out of memory' } });
  });

  test.each<[what: string, fields: object, reason: RegExp]>([
    ['NUL in an argument', { args: [{ text: 'a\u0000b' }] }, /calls\[0\]\.args\[0\]\.text contains a NUL/],
    ['half a character in a header', { headers: { user: '\ud800' } }, /headers\.user contains half a surrogate pair/],
    ['NUL in its key', { unique: { key: 'a\u0000', while: 'running' } }, /unique\.key contains a NUL/],
    ['half a character in its name', { name: 'a\udc00' }, /name contains half a surrogate pair/],
    ['attempts that are a text', { options: { attempts: '3' } }, /neither calls nor a workflow/],
    ['attempts beyond any number', { options: { attempts: 1e12 } }, /neither calls nor a workflow/],
    ['a start that is no time', { options: { startAt: 1e300 } }, /neither calls nor a workflow/],
    ['a priority of its own kind', { options: { priority: -1 } }, /neither calls nor a workflow/],
  ])('rejects a row that is alone, of a call that no engine can store: %s', async (_, fields, reason) => {
    const { stored, mover } = engine(() => undefined);
    const batch = await mover.move([{ seq: '7', payload: payloadOf({ ...call('a'), ...fields }) }]);
    expect(batch).toEqual({ moved: [], rejected: [{ seq: '7', reason: expect.stringMatching(reason) as unknown }] });
    expect(stored).toEqual([]);
  });

  test('leaves all rows for later while the engine cannot be reached', async () => {
    const { mover } = engine(() => new EngineUnavailableError('gone'));
    const batch = await mover.move([
      { seq: '1', payload: 'no JSON' },
      { seq: '2', payload: payloadOf(call('a')) },
    ]);
    expect(batch).toMatchObject({
      moved: [],
      rejected: [{ seq: '1', reason: 'the payload is not JSON' }],
      interruption: { code: 'ENGINE_UNAVAILABLE' },
    });
  });

  test('stores the answer to a call that contradicts an earlier one', async () => {
    const conflicting = call('conflict', { unique: { key: 'k', while: 'retained', idempotencyKey: 'mine' } });
    const { stored, mover } = engine((name) =>
      name === 'conflict' ? new IdempotencyConflictError('mine', 'default.earlier') : undefined,
    );
    expect(await mover.move([{ seq: '1', payload: payloadOf(conflicting) }])).toEqual({ moved: ['1'], rejected: [] });
    expect(stored).toMatchObject([
      {
        id: answerId(conflicting.id, ONE_SHARD),
        note: { answer: { name: 'conflict', failure: { code: 'IDEMPOTENCY_CONFLICT' } } },
      },
    ]);
  });

  test('keeps the record of a task long enough for the relay that comes after a dead one', async () => {
    const { stored, mover } = engine();
    const calls = [
      call('short', { options: { resultTtl: 1_000 } }),
      call('default'),
      call('long', { options: { resultTtl: 48 * HOUR } }),
    ];
    await mover.move([{ seq: '1', payload: payloadOf(...calls) }]);
    expect(stored.map(({ options }) => options.resultTtl)).toEqual([HOUR, undefined, 48 * HOUR]);
  });
});

describe('the form of rows', () => {
  test('a payload is ASCII and keeps every character', () => {
    const text = 'é 漢 🚀 \u2028 \uffff " \\ \u007f';
    const [row] = rowsOfCalls([call('a', { args: [text] })]);
    expect(row?.payload).toMatch(/^[\u0020-\u007e]*$/);
    expect(readContent(row?.payload as string)).toMatchObject({ calls: [{ args: [text] }] });
  });

  test('calls share a row up to a number and a length, and never with those of another queue', () => {
    const other = call('x', { queue: 'other', id: newTaskId('other') });
    expect(rowsOfCalls([call('a'), other, call('b'), call('c')]).map(({ queue, calls }) => [queue, calls])).toEqual([
      ['default', 1],
      ['other', 1],
      ['default', 2],
    ]);
    expect(rowsOfCalls(Array.from({ length: 1_001 }, () => call('a'))).map(({ calls }) => calls)).toEqual([
      500, 500, 1,
    ]);
    const large = call('a', { args: ['x'.repeat(200_000)] });
    expect(rowsOfCalls([large, large]).map(({ calls }) => calls)).toEqual([1, 1]);
  });

  test('version 1 of the form is read as it was written first', () => {
    expect(FORMAT).toBe(1);
    const payload = `{"calls":[{"id":"default.AAAAAAAAAAAAAAAAAAAAAA","name":"Mails.send","queue":"default","args":[1],"headers":{},"options":{}}]}`;
    expect(readContent(payload)).toMatchObject({ calls: [{ name: 'Mails.send', args: [1] }] });
  });

  test.each([
    'null',
    '[]',
    '{"calls":{}}',
    '{"calls":[{"id":"other.AAAAAAAAAAAAAAAAAAAAAA","name":"a","queue":"default","args":[],"headers":{},"options":{}}]}',
    '{"calls":[{"id":"default.AAAAAAAAAAAAAAAAAAAAAA","name":"a","queue":"default","args":"x","headers":{},"options":{}}]}',
    '{"calls":[{"id":"default.AAAAAAAAAAAAAAAAAAAAAA","name":"a","queue":"default","args":[],"headers":{"x":1},"options":{}}]}',
    '{"tree":{"id":"default.AAAAAAAAAAAAAAAAAAAAAA","name":"a","queue":"default","args":[],"headers":{},"options":{}}}',
  ])('%s is no content of a row', (payload) => {
    expect(() => readContent(payload)).toThrow('neither calls nor a workflow');
  });
});
