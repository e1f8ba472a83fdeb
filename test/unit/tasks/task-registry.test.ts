import { beforeEach, describe, expect, it } from '@jest/globals';
import { DuplicateTaskError } from '../../../lib/errors.js';
import { defineFrom } from '../../../lib/tasks/task-definition.js';
import type { TaskOptions } from '../../../lib/tasks/task-options.js';
import { TaskRegistry, type RegisteredTask } from '../../../lib/tasks/task-registry.js';

let registry: TaskRegistry;

beforeEach(() => void (registry = new TaskRegistry()));

function add(options: TaskOptions, origin = 'Mail.send'): RegisteredTask {
  const task = { definition: defineFrom(options, {}, origin), invoker: { invoke: () => undefined } };
  registry.add(task);
  return task;
}

describe('the tasks of an application', () => {
  it('are found by their names', () => {
    const [first, second] = [add({ name: 'a' }), add({ name: 'b' })];
    expect([registry.get('a'), registry.get('b'), registry.get('c')]).toEqual([first, second, undefined]);
  });

  it.each(['constructor', '__proto__', 'toString'])('have no task %j of their own', (name) => {
    expect(registry.get(name)).toBeUndefined();
    expect(add({ name })).toBe(registry.get(name));
  });

  it('have different names: an error names both methods', () => {
    const first = add({ name: 'send' }, 'Mail.send');
    const addAgain = () => add({ name: 'send' }, 'Sms.send');
    expect(addAgain).toThrow(DuplicateTaskError);
    expect(addAgain).toThrow(/"send".*Mail\.send.*Sms\.send/);
    expect(registry.get('send')).toBe(first);
  });
});

describe('aliases', () => {
  it('find the task', () => {
    const task = add({ name: 'new', aliases: ['old', 'older'] });
    expect([registry.get('new'), registry.get('old'), registry.get('older')]).toEqual([task, task, task]);
  });

  it.each<[string, TaskOptions, TaskOptions]>([
    ['the name of another task', { name: 'old' }, { name: 'new', aliases: ['old'] }],
    ['the name of a task that comes later', { name: 'new', aliases: ['old'] }, { name: 'old' }],
    ['an alias of another task', { name: 'a', aliases: ['old'] }, { name: 'b', aliases: ['old'] }],
  ])('must not be %s', (_, first, second) => {
    add(first, 'Mail.send');
    const addSecond = () => add(second, 'Sms.send');
    expect(addSecond).toThrow(DuplicateTaskError);
    expect(addSecond).toThrow(/"old".*Mail\.send.*Sms\.send.*aliases/);
  });
});

it('knows the queues of all tasks, each once', () => {
  expect(registry.queues()).toEqual(new Set());
  for (const [name, queue] of [
    ['a', 'x'],
    ['b', 'y'],
    ['c', 'x'],
  ] as const)
    add({ name, queue });
  add({ name: 'd' });
  expect(registry.queues()).toEqual(new Set(['x', 'y', 'default']));
});

it.each<[what: string, tasks: TaskOptions[], milliseconds: number]>([
  ['0 without a task', [], 0],
  ['0 when no task has one', [{}], 0],
  ['that of the only task with one', [{}, { resultTtl: '1h' }], 3_600_000],
  ['the longest of several', [{ resultTtl: '1h' }, { resultTtl: '1d' }, { resultTtl: 5 }], 86_400_000],
])('has for its longest resultTtl %s', (_, tasks, milliseconds) => {
  for (const [index, options] of tasks.entries()) add({ ...options, name: `task${index}` });
  expect(registry.longestResultTtl()).toBe(milliseconds);
});

describe('a task that takes batches', () => {
  const batch = { size: 5, wait: 0 };

  it('has a queue of its own', () => {
    add({ name: 'rows', queue: 'rows', batch });
    add({ name: 'other' });
    registry.checkBatches();
    expect(registry.batchSizeOf('rows')).toBe(5);
    expect(registry.batchSizeOf('default')).toBe(1);
    add({ name: 'mail', queue: 'rows' });
    expect(() => registry.checkBatches()).toThrow(
      'The task "rows" of Mail.send takes batches, and its queue "rows" has the task "mail" too. Give the task with batches a queue of its own',
    );
  });

  it.each([
    [{ size: 0, wait: 0 }, 'size in batch of task "rows" is 0. Give a whole number from 1 to 10000.'],
    [{ size: 1.5, wait: 0 }, 'size in batch of task "rows" is 1.5.'],
    [{ size: 5, wait: 'soon' }, 'wait in batch of task "rows"'],
    [{ size: 5, wait: '2m' }, 'wait in batch of task "rows" is "2m", for which a worker would hold calls.'],
    [{ size: 5, wait: 0, key: 'tenant' }, 'key in batch of task "rows" is "tenant". Give a function'],
  ])('refuses %j', (wrong, message) => {
    expect(() => add({ name: 'rows', batch: wrong as unknown as typeof batch })).toThrow(message);
  });
});
