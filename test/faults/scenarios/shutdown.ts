import assert from 'node:assert/strict';
import type { World } from '../support/world.js';

/** Workers are replaced one after the other while there is work, as in a deploy. */
export async function rollingDeploy(world: World, { tasks }: { tasks: number }): Promise<void> {
  const shutdown = { grace: '5s' } as const;
  const web = await world.start({ role: 'producer' });
  let worker = await world.start({ role: 'worker', shutdown });
  const ids = await world.enqueue(web, 'slow', [250], tasks);
  for (let deploy = 0; deploy < 3; deploy++) {
    const before = world.noted('finished').length;
    await world.until(() => world.noted('finished').length > before + 5, 'the worker gets on');
    const [next] = await Promise.all([world.start({ role: 'worker', shutdown }), stop(worker, 5_000)]);
    worker = next;
  }
  await world.finished(ids);
  const states = await world.finalStates(web, ids);
  assert(states.every(({ state, attempt }) => state === 'succeeded' && attempt === 1));
  // Everybody had the time to end: nothing was begun twice.
  assert.equal(world.noted('started').length, ids.length);
}

/** What does not end within the grace is aborted, given back, and runs again elsewhere without using up an attempt. */
export async function graceIsOver(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' });
  const worker = await world.start({ role: 'worker', shutdown: { grace: '500ms' } });
  const ids = [
    ...(await world.enqueue(web, 'slow', [3_000], 3)),
    // Does not heed its signal: it is given back all the same.
    ...(await world.enqueue(web, 'deaf', [3_000], 2)),
  ];
  const [once = ''] = await world.enqueue(web, 'once', [60_000]);
  world.failedOnPurpose.push(once);
  await world.started([...ids, once]);
  await stop(worker, 500);
  assert.equal(world.noted('aborted').filter(({ more }) => more === 'WorkerClosingError').length, 4);
  const [status] = await world.finalStates(web, [once]);
  assert.match(status?.error?.message ?? '', /closed before it ended.*at-most-once/);
  const states = await world.states(web, ids);
  assert(states.every(({ state }) => state === 'queued' || state === 'retrying'));

  const heir = await world.start({ role: 'worker' });
  await world.finished(ids);
  for (const id of ids) {
    assert.deepEqual(
      world.noted('started', id).map(({ pid, more }) => [pid, more]),
      [
        [worker.pid, '1'],
        [heir.pid, '1'],
      ],
    );
  }
  assert((await world.finalStates(web, ids)).every(({ state, attempt }) => state === 'succeeded' && attempt === 1));
}

/** Closing works, twice, and leaves nothing open, whatever has become of the server. */
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
      // It is gone as soon as nothing is open: nobody makes it exit.
      await process.ask.close().catch(() => undefined);
      assert.deepEqual(await process.exited, { code: 0, signal: null });
      const took = Date.now() - start;
      assert(took < (server === 'runs' ? 4_000 : 8_000), `It took ${took} ms to close.`);
    }
  } finally {
    world.server.thaw();
  }
}

/** The server has never been there: the application closes all the same. */
export async function closingUnconnected(world: World): Promise<void> {
  await world.server.stop();
  const process = await world.start();
  assert.equal(process.lines.filter((line) => line.includes('ERROR')).length, 1);
  await process.ask.close().catch(() => undefined);
  assert.deepEqual(await process.exited, { code: 0, signal: null });
}

/** A signal ends a process as that signal does, soon after its grace. */
async function stop(worker: Awaited<ReturnType<World['start']>>, grace: number): Promise<void> {
  const start = Date.now();
  worker.signal('SIGTERM');
  assert.deepEqual(await worker.exited, { code: null, signal: 'SIGTERM' });
  const took = Date.now() - start;
  assert(took < grace + 5_000, `It took ${took} ms to stop.`);
}
