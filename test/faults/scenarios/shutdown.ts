import assert from 'node:assert/strict';
import type { World } from '../support/world.js';

/** Workers are replaced one after the other while tasks wait, as in a deploy. */
export async function rollingDeploy(world: World, { tasks }: { tasks: number }): Promise<void> {
  const shutdown = { grace: '5s' } as const;
  const web = await world.start({ role: 'producer' });
  let worker = await world.start({ role: 'worker', shutdown });
  const ids = await world.enqueue(web, 'slow', [250], tasks);
  for (let deploy = 0; deploy < 3; deploy++) {
    const before = world.recorded('finished').length;
    await world.until(() => world.recorded('finished').length > before + 5, 'the worker finishes more tasks');
    const [next] = await Promise.all([world.start({ role: 'worker', shutdown }), stop(worker, 5_000)]);
    worker = next;
  }
  await world.finished(ids);
  const states = await world.finalStates(web, ids);
  assert(states.every(({ state, attempt }) => state === 'succeeded' && attempt === 1));
  // Every worker had the time to end its tasks, so no task was started twice.
  assert.equal(world.recorded('started').length, ids.length);
}

/**
 * A task does not end within the grace period. The worker aborts it and gives it back. The task runs again elsewhere,
 * and no attempt is used up.
 */
export async function graceIsOver(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' });
  const worker = await world.start({ role: 'worker', shutdown: { grace: '500ms' } });
  const ids = [
    ...(await world.enqueue(web, 'slow', [3_000], 3)),
    // These tasks ignore their signal. The worker gives them back all the same.
    ...(await world.enqueue(web, 'ignoreAbort', [3_000], 2)),
  ];
  const [once = ''] = await world.enqueue(web, 'once', [60_000]);
  world.failedOnPurpose.push(once);
  await world.started([...ids, once]);
  await stop(worker, 500);
  assert.equal(world.recorded('aborted').filter(({ detail }) => detail === 'WorkerClosingError').length, 4);
  const [status] = await world.finalStates(web, [once]);
  assert.match(status?.error?.message ?? '', /closed before it ended.*at-most-once/);
  const states = await world.states(web, ids);
  assert(states.every(({ state }) => state === 'queued' || state === 'retrying'));

  const replacement = await world.start({ role: 'worker' });
  await world.finished(ids);
  for (const id of ids) {
    assert.deepEqual(
      world.recorded('started', id).map(({ pid, detail }) => [pid, detail]),
      [
        [worker.pid, '1'],
        [replacement.pid, '1'],
      ],
    );
  }
  assert((await world.finalStates(web, ids)).every(({ state, attempt }) => state === 'succeeded' && attempt === 1));
}

/**
 * `app.close()` works, also a second time, and leaves nothing open: while the server runs, is stopped, or is frozen.
 */
export async function closing(world: World, server: 'runs' | 'is stopped' | 'is frozen'): Promise<void> {
  const processes = [await world.start(), await world.start({ role: 'producer' })];
  const [both, web] = processes as [(typeof processes)[0], (typeof processes)[0]];
  await world.enqueue(web, 'slow', [1]);
  await world.finished();
  if (server === 'is stopped') await world.server.stop();
  if (server === 'is frozen') world.server.freeze();
  try {
    for (const process of [both, web]) {
      const start = Date.now();
      // The process exits by itself as soon as nothing is open: no code calls `process.exit()`.
      await process.ask.close().catch(() => undefined);
      assert.deepEqual(await process.exited, { code: 0, signal: null });
      const took = Date.now() - start;
      assert(took < (server === 'runs' ? 4_000 : 8_000), `The process took ${took} ms to close.`);
    }
  } finally {
    world.server.thaw();
  }
}

/** The application could never reach the server. It closes all the same. */
export async function closingUnconnected(world: World): Promise<void> {
  await world.server.stop();
  const process = await world.start();
  assert.equal(process.lines.filter((line) => line.includes('ERROR')).length, 1);
  await process.ask.close().catch(() => undefined);
  assert.deepEqual(await process.exited, { code: 0, signal: null });
}

/** Sends SIGTERM. The process ends by that signal, soon after its grace period. */
async function stop(worker: Awaited<ReturnType<World['start']>>, grace: number): Promise<void> {
  const start = Date.now();
  worker.signal('SIGTERM');
  assert.deepEqual(await worker.exited, { code: null, signal: 'SIGTERM' });
  const took = Date.now() - start;
  assert(took < grace + 5_000, `The worker took ${took} ms to stop.`);
}
