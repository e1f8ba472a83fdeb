import { describe, expect, it } from '@jest/globals';
import type { Json } from '../../../lib/engine/json.js';
import { ConfigurationError, InvalidArgumentsError } from '../../../lib/errors.js';
import { defineFrom } from '../../../lib/tasks/task-definition.js';
import type { UniqueOption } from '../../../lib/tasks/task-options.js';
import { uniquenessOf } from '../../../lib/tasks/uniqueness.js';

function task(unique?: UniqueOption, name = 'Mail.send') {
  return defineFrom({ name, ...(unique && { unique }) }, {}, name);
}

const unique = task({ while: 'running' });
const keyOf = (args: readonly Json[], definition = unique) => uniquenessOf(definition, args)?.key;

describe('a task that is not unique', () => {
  it('has no rule', () => {
    expect(uniquenessOf(task(), [1])).toBeUndefined();
  });
});

describe('a unique task', () => {
  it.each(['pending', 'running', 'retained'] as const)('has a digest, and how long it counts: %s', (until) => {
    expect(uniquenessOf(task({ while: until }), [1])).toStrictEqual({
      key: expect.stringMatching(/^[A-Za-z0-9_-]{32}$/),
      while: until,
    });
  });

  it.each<[what: string, first: Json[], second: Json[]]>([
    ['the same arguments', [1, 'x', null], [1, 'x', null]],
    ['no arguments', [], []],
    ['properties in another order', [{ a: 1, b: 2 }], [{ b: 2, a: 1 }]],
    [
      'properties in another order, inside',
      [[{ a: { c: 1, b: [{ y: 1, x: 2 }] } }]],
      [[{ a: { b: [{ x: 2, y: 1 }], c: 1 } }]],
    ],
  ])('takes calls for equal that have %s', (_, first, second) => {
    expect(keyOf(first)).toBe(keyOf(second));
  });

  it.each<[what: string, first: Json[], second: Json[]]>([
    ['other arguments', [1], [2]],
    ['arguments in another order', [1, 2], [2, 1]],
    ['items in another order', [[1, 2]], [[2, 1]]],
    ['a text instead of a number', [1], ['1']],
    ['null instead of nothing', [null], []],
    ['false instead of 0', [false], [0]],
    ['a list instead of an object', [['a']], [{ 0: 'a' }]],
    ['another property', [{ a: 1 }], [{ b: 1 }]],
    ['one property more', [{ a: 1 }], [{ a: 1, b: 1 }]],
    ['one argument divided in two', ['a","b'], ['a', 'b']],
  ])('takes calls for different that have %s', (_, first, second) => {
    expect(keyOf(first)).not.toBe(keyOf(second));
  });

  it('shares no rule with another task', () => {
    expect(keyOf([1])).not.toBe(keyOf([1], task({ while: 'running' }, 'Mail.other')));
  });

  it('gives the same digest in every process, because it is stored', () => {
    expect(keyOf([{ b: 1, a: 2 }])).toBe('wYBlpERKiPMwXPnDmhgYo2MO8oy5Lh_g');
  });
});

describe('a unique task with a key', () => {
  const byUser = task({ while: 'running', key: (user: { id: number }, _text: string) => `user ${user.id}` });

  it('compares what the key gives for the arguments, and nothing else', () => {
    expect(keyOf([{ id: 1, name: 'a' }, 'x'], byUser)).toBe(keyOf([{ id: 1, name: 'b' }, 'y'], byUser));
    expect(keyOf([{ id: 1 }], byUser)).not.toBe(keyOf([{ id: 2 }], byUser));
  });

  it.each([1, 255])('accepts a key of %d characters', (length) => {
    expect(keyOf([], task({ while: 'running', key: () => 'x'.repeat(length) }))).toHaveLength(32);
  });

  it.each<[given: unknown, named: string]>([
    ['', '0 characters'],
    ['x'.repeat(256), '256 characters'],
    [undefined, 'undefined'],
    [7, '7'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [Object.create(null), 'an object'],
    [['x'], 'a list'],
    [() => 'x', 'a function'],
    [Promise.reject(new Error('no key')), 'an object'],
    ['a\0b', 'a NUL character'],
  ])('refuses the key %j, and names the task', (given, named) => {
    const refused = () => keyOf([], task({ while: 'running', key: () => given as string }));
    expect(refused).toThrow(InvalidArgumentsError);
    expect(refused).toThrow('"Mail.send"');
    expect(refused).toThrow(named);
  });

  it('refuses arguments for which the function throws, and keeps the error as the cause', () => {
    const byNested = task({ while: 'running', key: (user: { profile: { id: string } }) => user.profile.id });
    const refused = () => keyOf([{}], byNested);
    expect(refused).toThrow(InvalidArgumentsError);
    expect(refused).toThrow(/^unique\.key of task "Mail\.send" threw an error for these arguments\.$/);
    expect(refused).toThrow(expect.objectContaining({ cause: expect.any(TypeError) }));
  });
});

describe('an idempotency key', () => {
  const ruleOf = (idempotencyKey: string, definition = task(), args: Json[] = [1]) =>
    uniquenessOf(definition, args, { idempotencyKey });
  const scoped = (idempotencyKey: string, idempotencyScope?: string) =>
    uniquenessOf(task(), [1], { idempotencyKey, ...(idempotencyScope !== undefined && { idempotencyScope }) });

  it('counts as long as the task is stored, and is kept to find other arguments under it', () => {
    expect(ruleOf('order 1')).toStrictEqual({
      key: expect.stringMatching(/^[A-Za-z0-9_-]{32}$/),
      while: 'retained',
      idempotencyKey: 'order 1',
    });
  });

  it('does not depend on the arguments, but on the task', () => {
    expect(ruleOf('order 1', task(), [2])).toEqual(ruleOf('order 1'));
    expect(ruleOf('order 2')?.key).not.toBe(ruleOf('order 1')?.key);
    expect(ruleOf('order 1', task(undefined, 'Mail.other'))?.key).not.toBe(ruleOf('order 1')?.key);
  });

  it('is never the digest of a unique call', () => {
    const sameText = task({ while: 'retained', key: () => 'order 1' });
    expect(keyOf([], sameText)).not.toBe(ruleOf('order 1')?.key);
  });

  it('gives the same digest in every process, because it is stored', () => {
    expect([ruleOf('order 1')?.key, scoped('order 1', 'ann')?.key]).toEqual([
      'uzVXznjjbb4eJwLVVkDtnxgK5eLAh8--',
      'Jw0mSYBWsdS8YRYYcpMWv3AZCoztyXLm',
    ]);
  });

  it('with a scope equals only the same key in the same scope', () => {
    expect(scoped('order 1', 'ann')).toEqual(scoped('order 1', 'ann'));
    const keys = [
      scoped('order 1'),
      scoped('order 1', 'ann'),
      scoped('order 1', 'bob'),
      scoped('ann', 'order 1'),
      scoped('order 1","ann'),
      scoped('order', ' 1ann'),
      scoped('order 1an', 'n'),
    ].map((rule) => rule?.key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('with half a surrogate pair differs from other such keys', () => {
    expect(ruleOf('\ud800')?.key).not.toBe(ruleOf('\ud801')?.key);
  });

  it('is not made of a scope alone', () => {
    expect(uniquenessOf(task(), [1], { idempotencyScope: 'ann' })).toBeUndefined();
  });

  it.each<[unknown, string]>([
    ['', 'is 0 characters long'],
    ['x'.repeat(256), 'is 256 characters long'],
    ['a\0', 'contains a NUL character'],
    [7, 'is 7'],
    [null, 'is null'],
    [['a', 'b'], 'is a list'],
    [{ toString: 1 }, 'is an object'],
  ])('refuses the key or scope %j', (value, fault) => {
    const given = value as string;
    for (const [path, refused] of [
      ['idempotencyKey', () => ruleOf(given)],
      ['idempotencyScope', () => scoped('order 1', given)],
    ] as const) {
      const message = `The ${path} of task "Mail.send" ${fault}. Give a text of 1 to 255 characters.`;
      expect(refused).toThrow(InvalidArgumentsError);
      expect(refused).toThrow(expect.objectContaining({ message, issues: [{ path, message }] }));
    }
  });

  it('is refused for a task that is unique: there would be two rules', () => {
    expect(() => ruleOf('order 1', unique)).toThrow(ConfigurationError);
    expect(() => ruleOf('order 1', unique)).toThrow('"Mail.send" is unique');
  });
});
