import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { listOf, RunningTasks } from '../../../lib/engine/running-tasks.js';

let running: RunningTasks;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  running = new RunningTasks();
});
afterEach(() => void jest.useRealTimers());

describe('RunningTasks', () => {
  it('has the tasks between add and remove', () => {
    const [first, second] = [running.add('q.1', 'a'), running.add('q.2', 'b')];
    expect(running.all()).toEqual([first, second]);
    running.remove(first);
    expect(running.all()).toEqual([second]);
  });

  it('has a task twice that runs twice in this process, and removes each run by itself', () => {
    const [first, second] = [running.add('q.1', 'a'), running.add('q.1', 'a')];
    running.remove(first);
    expect(running.all()).toEqual([second]);
  });

  it('adds a task with its lock and without an interruption', () => {
    expect(running.add('q.1', 'a')).toMatchObject({
      id: 'q.1',
      name: 'a',
      lost: false,
      interruption: { isRequested: false },
    });
  });

  it('interrupts the task of an id, in all its runs', () => {
    const [first, again, other] = [running.add('q.1', 'a'), running.add('q.1', 'a'), running.add('q.2', 'b')];
    const reason = new Error('enough');
    running.interrupt(reason, 'q.1');
    expect([first.interruption.reason, again.interruption.reason]).toEqual([reason, reason]);
    expect(other.interruption.isRequested).toBe(false);
    expect(running.uninterrupted()).toEqual([other]);
  });

  it('interrupts all tasks without an id, and the first reason stays', () => {
    const [first, second] = [running.add('q.1', 'a'), running.add('q.2', 'b')];
    const [cancelled, closing] = [new Error('cancelled'), new Error('closing')];
    running.interrupt(cancelled, 'q.1');
    running.interrupt(closing);
    expect([first.interruption.reason, second.interruption.reason]).toEqual([cancelled, closing]);
    expect(running.uninterrupted()).toEqual([]);
  });

  it('interrupts nothing for the id of a task that does not run here', () => {
    running.add('q.1', 'a');
    running.interrupt(new Error('enough'), 'q.2');
    expect(running.uninterrupted()).toHaveLength(1);
  });
});

describe('allEndWithin', () => {
  it('is true at once without a task', async () => {
    expect(await running.allEndWithin(0)).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is true for all callers once the last task has ended', async () => {
    const [first, second] = [running.add('q.1', 'a'), running.add('q.2', 'b')];
    const ended = [running.allEndWithin(1_000), running.allEndWithin(5_000)];
    running.remove(first);
    await jest.advanceTimersByTimeAsync(999);
    running.remove(second);
    expect(await Promise.all(ended)).toEqual([true, true]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is false when a task still runs after the limit', async () => {
    const [first] = [running.add('q.1', 'a'), running.add('q.2', 'b')];
    const ended = running.allEndWithin(1_000);
    running.remove(first);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await ended).toBe(false);
  });
});

describe('listOf', () => {
  const tasks = (count: number) => Array.from({ length: count }, (_, index) => ({ id: `q.${index}`, name: 'a' }));

  it.each([
    [0, ''],
    [1, 'a (q.0)'],
    [2, 'a (q.0), a (q.1)'],
    [5, 'a (q.0), a (q.1), a (q.2), a (q.3), a (q.4)'],
    [6, 'a (q.0), a (q.1), a (q.2), a (q.3), a (q.4) and 1 more'],
    [1_000, 'a (q.0), a (q.1), a (q.2), a (q.3), a (q.4) and 995 more'],
  ])('names of %d tasks at most five', (count, text) => {
    expect(listOf(tasks(count))).toBe(text);
  });
});
