import assert from 'node:assert/strict';
import type { World } from '../support/world.js';

/** Two batches of 20 run in a worker at the same time, and 5 calls are held that wait for another one. */
const queues = { rows: { concurrency: 2 } };
const CALLS = 45;

/** A worker is killed while it runs two batches and holds further calls. All of them run again elsewhere, none finishes twice. */
export async function killedWithBatches(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' }, { batched: true });
  const victim = await world.start({ role: 'worker', queues, consume: ['rows'] }, { batched: true });
  const ids = await world.enqueue(web, 'row', [2_000], CALLS);
  await world.until(() => world.recorded('started').length === 40, 'two batches of 20 have started');
  await victim.kill();
  const replacement = await world.start({ role: 'worker', queues, consume: ['rows'] }, { batched: true });
  await world.finished(ids);
  assert(world.recorded('finished').every(({ pid }) => pid === replacement.pid));
  assert.equal(world.counts().duplicated, 0);
  const states = await world.finalStates(web, ids);
  assert.deepEqual(
    new Set(states.map(({ state, attempt }) => `${state} in attempt ${attempt}`)),
    new Set(['succeeded in attempt 1']),
  );
}

/** Workers are killed and replaced while calls come in. No call is lost. */
export async function killedAgainAndAgain(world: World, { kills }: { kills: number }): Promise<void> {
  const web = await world.start({ role: 'producer' }, { batched: true });
  const start = () => world.start({ role: 'worker', queues, consume: ['rows'] }, { batched: true });
  const workers = [await start(), await start()];
  for (let kill = 0; kill < kills; kill++) {
    const ids = await world.enqueue(web, 'row', [200], CALLS);
    await world.until(() => ids.some((id) => world.recorded('started', id).length > 0), 'a batch has started');
    const victim = workers.shift();
    // In turn without and with time to give back what it holds.
    await (kill % 2 === 0 ? victim?.kill() : victim?.stop());
    workers.push(await start());
    // A call whose worker dies twice fails as a poisoned task, so all end before the next kill.
    await world.finished(ids);
    for (const { state } of await world.finalStates(web, ids)) assert.equal(state, 'succeeded');
  }
  // A worker may die between the end of a method and the end of its calls, once in each kill.
  assert(world.counts().duplicated <= (kills / 2 + 1) * 40);
  assert.equal(world.counts().lost, 0);
}
