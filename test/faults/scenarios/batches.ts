import assert from 'node:assert/strict';
import type { Entry, World } from '../support/world.js';

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

/**
 * The server is stopped for a while, while batches run and calls are held, and then a worker is closed under load, as a deploy does.
 * No call is lost.
 */
export async function stoppedServerAndDeploy(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' }, { batched: true });
  const start = () =>
    world.start({ role: 'worker', queues, consume: ['rows'], abandonedAfter: '6s' }, { batched: true });
  const first = await start();
  const ids = await world.enqueue(web, 'row', [500], CALLS);
  await world.until(() => world.recorded('started').length > 0, 'a batch has started');
  await world.server.stop();
  // The batches that run end meanwhile, and their worker cannot store it.
  await world.until(() => world.recorded('finished').length > 0, 'a batch has ended without the server');
  await world.server.restart();
  await world.finished(ids);
  const later = await world.enqueue(web, 'row', [200], CALLS);
  await start();
  await first.stop();
  await world.finished(later);
  for (const { state } of await world.finalStates(web, [...ids, ...later])) assert.equal(state, 'succeeded');
  assert.equal(world.counts().lost, 0);
  // A call whose end could not be stored may run again: those of the two batches that ran when the server stopped, and of the two
  // that took longer than the time for a worker that closes.
  assert(world.counts().duplicated <= 80, `${world.counts().duplicated} calls finished twice`);
}

/** One call of a batch makes it throw each time. The others succeed in smaller batches, and the one at fault fails with its own error. */
export async function poisonousCall(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' }, { batched: true });
  const others = await world.enqueue(web, 'row', [10], 19);
  const [poison = ''] = await world.enqueue(web, 'row', [-1]);
  world.failedOnPurpose.push(poison);
  await world.start({ role: 'worker', queues, consume: ['rows'] }, { batched: true });
  await world.finished(others);
  for (const { state } of await world.finalStates(web, others)) assert.equal(state, 'succeeded');
  const { error } = await web.ask.result(poison, 30_000);
  assert.match(error?.message ?? '', /poison/);
  const { lost, duplicated } = world.counts();
  assert.deepEqual({ lost, duplicated }, { lost: 0, duplicated: 0 });
}

/** The most batches of a queue that may run at once, in all processes. */
const AT_ONCE = 2;
const PLACES_IN_DEPLOY = 4;

/** Workers are killed in the middle of batches, again and again. There are never more runs than places, and all places come back. */
export async function killedWithPlaces(world: World, { kills }: { kills: number }): Promise<void> {
  const web = await world.start({ role: 'producer' }, { batched: true });
  // Long enough for a process that gets no processor time for seconds.
  const options = { role: 'worker', consume: ['rows'], abandonedAfter: '8s' } as const;
  const limited = { rows: { concurrency: 3, globalConcurrency: AT_ONCE } };
  const start = () => world.start({ ...options, queues: limited }, { batched: true });
  const workers = await Promise.all([start(), start(), start()]);
  for (let kill = 0; kill < kills; kill++) {
    const ids = await world.enqueue(web, 'row', [300], 8 * 20);
    const victim = () => workers.find(({ pid }) => runsIn(world.entries()).running.has(pid));
    await world.until(() => victim() !== undefined, 'a batch runs');
    const killed = victim() as (typeof workers)[0];
    await world.killInJournal(killed);
    workers.splice(workers.indexOf(killed), 1, await start());
    // A call whose worker dies twice fails as a poisoned task, so all end before the next kill.
    await world.finished(ids);
    for (const { state } of await world.finalStates(web, ids)) assert.equal(state, 'succeeded');
  }
  assert.equal(runsIn(world.entries()).most, AT_ONCE);
  assert.equal(world.counts().lost, 0);
}

/**
 * A deploy gives a task batches, and is taken back: workers of both kinds run side by side while producers of both kinds enqueue. Each
 * call runs once in the shape that its worker declares, and there are never more runs than places.
 */
export async function deployedAndTakenBack(world: World, { calls }: { calls: number }): Promise<void> {
  const [single, batched] = [{ single: true }, { batched: true }] as const;
  const webs = [await world.start({ role: 'producer' }, single), await world.start({ role: 'producer' }, batched)];
  const limited = { rows: { concurrency: 10, globalConcurrency: PLACES_IN_DEPLOY } };
  const options = { role: 'worker', consume: ['rows'], queues: limited, shutdown: { grace: '10s' } } as const;
  const start = (kind: typeof single | typeof batched) => world.start({ ...options, abandonedAfter: '8s' }, kind);
  const load = async () => {
    for (const web of webs) await world.enqueueMany(web, 'row', [50], calls);
  };
  /** Enqueues until each of these workers has run calls that came from here on. */
  const shared = async (...workers: readonly { readonly pid: number }[]) => {
    const before = world.entries().length;
    const ran = () =>
      new Set(
        world
          .entries()
          .slice(before)
          .flatMap(({ event, pid }) => (event === 'ended' ? [pid] : [])),
      );
    await world.until(async () => {
      // All workers are idle then, so that each of them gets some.
      if (world.counts().lost === 0) await load();
      return workers.every(({ pid }) => ran().has(pid));
    }, 'each of the workers has run calls');
  };

  const earlier = await start(single);
  await shared(earlier);
  const later = await start(batched);
  await shared(earlier, later);
  await earlier.stop();
  await shared(later);
  const again = await start(single);
  await shared(again, later);
  await later.stop();
  await shared(again);

  await world.finished();
  for (const { state, attempt } of await world.finalStates(webs[1] as (typeof webs)[0]))
    assert.equal(`${state} in attempt ${attempt}`, 'succeeded in attempt 1');
  const { lost, duplicated } = world.counts();
  assert.deepEqual({ lost, duplicated }, { lost: 0, duplicated: 0 });
  const { most } = runsIn(world.entries());
  assert(most <= PLACES_IN_DEPLOY, `${most} runs went on at the same time, and there are ${PLACES_IN_DEPLOY} places`);
}

/** The most runs that went on at the same time, and those that go on after the last line, by process. */
function runsIn(entries: readonly Entry[]): { most: number; running: Map<number, Set<string>> } {
  const running = new Map<number, Set<string>>();
  let most = 0;
  for (const { event, id, pid } of entries) {
    if (event === 'began') running.set(pid, (running.get(pid) ?? new Set()).add(id));
    if (event === 'ended') running.get(pid)?.delete(id);
    if (event === 'killed' || running.get(pid)?.size === 0) running.delete(pid);
    most = Math.max(
      most,
      [...running.values()].reduce((sum, { size }) => sum + size, 0),
    );
  }
  return { most, running };
}

/**
 * A worker is killed while it stores how the calls of a batch ended: again and again, a little later each time. No call is lost, and
 * one whose success is stored does not run again.
 */
export async function killedWhileSettling(world: World, { kills }: { kills: number }): Promise<void> {
  const web = await world.start({ role: 'producer' }, { batched: true });
  for (let kill = 0; kill < kills; kill++) {
    const worker = await world.start({ role: 'worker', queues, consume: ['rows'] }, { batched: true });
    const ids = await world.enqueue(web, 'row', [0], 40);
    await world.until(() => ids.some((id) => world.recorded('finished', id).length > 0), 'a batch has ended');
    await new Promise((resolve) => setTimeout(resolve, kill));
    await worker.kill();
    const states = await world.states(web, ids);
    const stored = states.filter(({ state }) => state === 'succeeded').map(({ id }) => id);
    const next = await world.start({ role: 'worker', queues, consume: ['rows'] }, { batched: true });
    await world.finished(ids);
    for (const { state } of await world.finalStates(web, ids)) assert.equal(state, 'succeeded');
    for (const id of stored) assert.equal(world.recorded('finished', id).length, 1);
    await next.stop();
  }
  assert.equal(world.counts().lost, 0);
}
