import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { EngineUnavailableError } from '../../../lib/errors.js';
import { MemoryWorkerRegistry } from '../../../lib/engine/memory/memory-worker-registry.js';
import { MOST_RUNNING, WORKER_LIFE, WORKER_MEMORY } from '../../../lib/engine/ports/worker-registry.js';
import { sharedQueueWarnings } from '../../../lib/workers/shared-queues.js';
import { WorkerPresence } from '../../../lib/workers/worker-presence.js';

function world() {
  let now = Date.UTC(2026, 0, 1);
  const records = new Map();
  const engine = {
    workers: new MemoryWorkerRegistry(
      () => records,
      () => now,
    ),
    now: () => now,
  };
  const start = (task: string, queues = ['default']) =>
    new WorkerPresence({
      tasksOfQueues: () => ({}),
      schedulesSince: () => undefined,
      engine,
      code: () => ({ application: undefined, tasks: [task], schedules: [] }),
      queues: () => new Map(queues.map((queue) => [queue, { concurrency: 10, keep: { succeeded: 0, failed: 0 } }])),
      version: '1.2.3',
    });
  return { engine, start, pass: (milliseconds: number) => (now += milliseconds) };
}

describe('WorkerPresence', () => {
  it('knows the other workers that declare a task, until one stops or gives no sign of life', async () => {
    const { start, pass } = world();
    const [one, stopping, killed] = [start('a'), start('b'), start('c')];
    await Promise.all([one, stopping, killed].map((presence) => presence.announce()));
    await expect(one.isDeclaredElsewhere('default', 'b')).resolves.toBe(true);
    await expect(one.isDeclaredElsewhere('default', 'c')).resolves.toBe(true);
    await expect(one.isDeclaredElsewhere('default', 'a')).resolves.toBe(false);
    await expect(one.isDeclaredElsewhere('other', 'b')).resolves.toBe(false);
    await stopping.stop();
    pass(WORKER_LIFE + 1);
    const later = start('a');
    await expect(later.others()).resolves.toEqual([]);
  });

  it('forgets a worker that gave no sign of life for ten minutes', async () => {
    const { engine, start, pass } = world();
    await start('a').announce();
    pass(WORKER_LIFE + 1);
    await expect(engine.workers.list()).resolves.toHaveLength(1);
    pass(WORKER_MEMORY);
    await expect(engine.workers.list()).resolves.toEqual([]);
  });

  it('publishes the tasks that run, those first that have run for longest, and how busy the process is', async () => {
    const { engine, start } = world();
    const presence = start('a');
    const tasks = Array.from({ length: MOST_RUNNING + 10 }, (_, index) => ({
      id: `default.${index}`,
      name: 'a',
      takenAt: performance.now() - index * 1_000,
    }));
    await presence.start(undefined, { running: () => tasks, silentQueues: () => ['mail'] });
    await presence.refresh();
    const [worker] = await engine.workers.list();
    expect(worker?.load?.runningCount).toBe(MOST_RUNNING + 10);
    expect(worker?.load?.running.map(({ id }) => id)).toEqual(
      Array.from({ length: MOST_RUNNING }, (_, index) => `default.${MOST_RUNNING + 9 - index}`),
    );
    const longest = engine.now() - (worker?.load?.running[0]?.since ?? 0);
    expect(Math.abs(longest - (MOST_RUNNING + 9) * 1_000)).toBeLessThan(5_000);
    expect(worker?.load?.silentQueues).toEqual(['mail']);
    expect(worker?.load?.memory).toBeGreaterThan(1e6);
    expect(worker?.load?.eventLoopDelay).toBeGreaterThanOrEqual(0);
    await presence.stop();
  });

  it('a process without queues is no worker', async () => {
    const { engine, start } = world();
    const producer = start('a', []);
    await producer.announce();
    await producer.start();
    await expect(engine.workers.list()).resolves.toEqual([]);
    await producer.stop();
  });

  it('takes a task for declared while the engine cannot answer', async () => {
    const { engine, start } = world();
    jest.spyOn(engine.workers, 'list').mockRejectedValue(new EngineUnavailableError('gone'));
    await expect(start('a').isDeclaredElsewhere('default', 'b')).resolves.toBe(true);
  });

  it('warns at its start, and repeats its sign of life until it stops', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'performance', 'Date'] });
    const warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    try {
      const { engine, start } = world();
      await start('b').announce();
      const one = start('a');
      await one.announce();
      await one.start();
      expect(warnings).toHaveBeenCalledTimes(1);
      const publish = jest.spyOn(engine.workers, 'publish');
      await jest.advanceTimersByTimeAsync(30_000);
      expect(publish).toHaveBeenCalledTimes(3);
      await one.stop();
      await jest.advanceTimersByTimeAsync(30_000);
      expect(publish).toHaveBeenCalledTimes(3);
    } finally {
      jest.useRealTimers();
      warnings.mockRestore();
    }
  });
});

describe('sharedQueueWarnings', () => {
  const worker = (application: string | undefined, tasks: string[], more: object = {}) => ({
    ...{
      id: 'x',
      application,
      host: 'h',
      pid: 1,
      version: '1',
      startedAt: 0,
      queues: ['default'],
      tasks,
      schedules: [],
    },
    ...{ concurrency: {}, ...more },
  });

  it.each([
    ['applications with different names and tasks', worker('shop', ['a']), worker('mail', ['b']), 1],
    ['applications with different names that share a task', worker('shop', ['a', 's']), worker('mail', ['b', 's']), 1],
    ['applications with the same name and nothing in common', worker('app', ['a']), worker('app', ['b']), 1],
    ['applications without names and nothing in common', worker(undefined, ['a']), worker(undefined, ['b']), 1],
    ['replicas', worker('shop', ['a']), worker('shop', ['a']), 0],
    ['versions of one application', worker('shop', ['a', 'old']), worker('shop', ['a', 'new']), 0],
    ['processes with different names and the same tasks', worker('web', ['a']), worker('worker', ['a']), 0],
    ['applications on different queues', worker('shop', ['a']), worker('mail', ['b'], { queues: ['mail'] }), 0],
  ])('%s', (_what, own, other, count) => {
    expect(sharedQueueWarnings(own, [other, { ...other, pid: 2 }])).toHaveLength(count);
  });
});
