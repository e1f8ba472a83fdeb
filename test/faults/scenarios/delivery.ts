import assert from 'node:assert/strict';
import type { World } from '../support/world.js';

/**
 * A worker is killed while it runs many tasks. Each task runs again elsewhere, none is lost and none finishes twice.
 */
export async function killedWorker(world: World, { tasks }: { tasks: number }): Promise<void> {
  const queues = { default: { concurrency: tasks } };
  const web = await world.start({ role: 'producer' });
  const victim = await world.start({ role: 'worker', queues });
  const ids = await world.enqueue(web, 'slow', [1_500], tasks);
  await world.started(ids);
  await victim.kill();
  const replacement = await world.start({ role: 'worker', queues });
  await world.finished(ids);
  assert(world.recorded('finished').every(({ pid }) => pid === replacement.pid));
  const states = await world.finalStates(web, ids);
  assert.deepEqual(
    new Set(states.map(({ state, attempt }) => `${state} in attempt ${attempt}`)),
    new Set(['succeeded in attempt 1']),
  );
}

/**
 * Several processes enqueue the same unique task at the same time. It is stored once, and every caller gets its result.
 */
export async function manyCallers(world: World): Promise<void> {
  const callers = await Promise.all(Array.from({ length: 4 }, () => world.start({ role: 'producer' })));
  const ids = await Promise.all(callers.map((caller) => caller.ask.enqueueMany('single', [50], 25)));
  assert.equal(ids.flat().length, 100);
  const [id = '', ...others] = new Set(ids.flat());
  assert.deepEqual(others, []);
  world.enqueued.push(id);
  await world.start({ role: 'worker' });
  for (const caller of callers) assert.equal((await caller.ask.result(id, 20_000)).result, id);
  assert.equal(world.recorded('started').length, 1);
}

/** A task kills its process twice. The task fails, its `onError` runs once, and the tasks beside it finish. */
export async function poisonTask(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' });
  const crashes = [await world.start({ role: 'worker' }), await world.start({ role: 'worker' })];
  const poison = await web.ask.enqueueWithOnError('poison', 'poison');
  world.enqueued.push(poison);
  world.failedOnPurpose.push(poison);
  const others = await world.enqueue(web, 'slow', [300], 30);
  await Promise.all(crashes.map(({ exited }) => exited));
  const survivor = await world.start({ role: 'worker' });
  const answer = await web.ask.result(poison, 20_000);
  assert.match(answer.error?.message ?? '', /died or lost its connection, more than once/);
  const [status] = await world.states(web, [poison]);
  assert.equal(status?.state, 'failed');
  assert.equal(status.error?.name, 'WorkerLostError');
  assert.equal(world.recorded('started', poison).length, 2);
  await world.finished(others);
  await world.finalStates(web, others);
  await world.until(
    () => survivor.lines.some((line) => line.includes(`Work.poison (${poison})`)),
    'the log names the task',
  );
  await world.until(() => world.recorded('linked').length > 0, 'the callback of the failure runs');
  assert.equal(world.recorded('linked').length, 1);
}

/** A process dies while it runs at-most-once tasks. The tasks fail, their `onError` runs once, and they do not run again. */
export async function atMostOnce(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' });
  const victim = await world.start({ role: 'worker' });
  const ids = await world.enqueue(web, 'once', [60_000], 4);
  const heard = await web.ask.enqueueWithOnError('once', 'once', [60_000]);
  world.enqueued.push(heard);
  ids.push(heard);
  world.failedOnPurpose.push(...ids);
  await world.started(ids);
  await victim.kill();
  await world.start({ role: 'worker' });
  for (const { state, error } of await world.finalStates(web, ids)) {
    assert.equal(state, 'failed');
    assert.equal(error?.name, 'WorkerLostError');
    assert.match(error.message, /at-most-once/);
  }
  assert.equal(world.recorded('started').length, ids.length);
  await world.until(() => world.recorded('linked').length > 0, 'the callback of the failure runs');
  assert.equal(world.recorded('linked').length, 1);
}

/** A task blocks the event loop for longer than `abandonedAfter`. The log reports the block with the task's name. */
export async function eventLoop(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' });
  const worker = await world.start({ role: 'worker' });
  const [id = ''] = await world.enqueue(web, 'block', [3_000]);
  await world.started([id]);
  await world.until(
    () => worker.lines.some((line) => /blocked for [23]\.\d s .*Work\.block \(default/.test(line)),
    () => `the log reports the block:\n${worker.log.join('\n')}`,
  );
  // The lock expires. Either no worker takes the task over and it succeeds, or it runs and blocks again and then fails.
  // Both ends are correct.
  const [status] = await world.finalStates(web, [id]);
  assert(status?.state === 'succeeded' || status?.error?.name === 'WorkerLostError');
  if (status.state !== 'succeeded') world.failedOnPurpose.push(id);
}
