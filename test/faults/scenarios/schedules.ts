import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../support/seeded-random.js';
import type { TestProcess } from '../support/test-process.js';
import { ticksOf } from '../support/ticks.js';
import type { Happening } from '../support/journal.js';
import type { Entry, World } from '../support/world.js';

/** Of the schedule that TimedWork decorates. */
const EVERY = 250;
/** As long as nobody is there, or nobody can be reached: several ticks, and longer than a call may take. */
const OUTAGE = 2_500;

/**
 * Five replicas start, stop and are killed at random while at least one of them lives: each tick has one task, whether
 * its schedule was decorated or made at run time.
 */
export async function replicasComeAndGo(
  world: World,
  { rounds, seed = Math.floor(Math.random() * 1e9) }: { rounds: number; seed?: number },
): Promise<void> {
  const random = seededRandom(seed);
  const start = () => world.start({ role: 'worker' }, { scheduled: true });
  let living = await Promise.all(Array.from({ length: 5 }, start));
  await living[0]?.ask.schedule('made', { every: 200 });
  const periods = { decorated: EVERY, made: 200 };
  const missing = (until: number) =>
    Object.entries(periods).flatMap(([id, every]) =>
      ticksOf(world, id)
        .missing(every, until)
        .map((tick) => `${id}@${new Date(tick).toISOString()}`),
    );
  const allUntil = (until: number) =>
    world.until(
      () => missing(until).length === 0,
      () => `no tick is missing with the seed ${seed}, as are ${missing(until).join(', ')}`,
      15_000,
    );

  for (let round = 0; round < rounds; round++) {
    // Those who live on have seen all from here on; up to here it was for those who may die now.
    await allUntil(Date.now());
    await sleep(random() * EVERY);
    const shuffled = living.map((replica) => [random(), replica] as const).toSorted(([a], [b]) => a - b);
    const victims = shuffled.slice(0, 1 + Math.floor(random() * 4)).map(([, replica]) => replica);
    const ends = victims.map((victim) => (random() < 0.6 ? victim.kill() : victim.stop()));
    const starting = Promise.all(victims.map(start));
    await Promise.all(ends);
    living = [...living.filter((replica) => !victims.includes(replica)), ...(await starting)];
  }
  await allUntil(Date.now());

  // What is enqueued now comes after every task that a tick could have had.
  const [survivor] = living as [TestProcess];
  await world.finalStates(survivor, await world.enqueue(survivor, 'slow', [1]));
  for (const id of Object.keys(periods)) {
    assert.deepEqual(ticksOf(world, id).doubled, [], `Ticks of ${id} have two tasks with the seed ${seed}.`);
  }
  await finish(world, living, Object.keys(periods));
}

/** What makes ticks pass unseen. */
export type Absence = 'all replicas are killed' | 'the server is stopped';

/** Nobody is there for several ticks: one run makes up for them, or none, as the schedule says. */
export async function missedTicks(world: World, absence: Absence): Promise<void> {
  const start = () => Promise.all([1, 2].map(() => world.start({ role: 'worker' }, { scheduled: true })));
  let replicas = await start();
  await replicas[0]?.ask.schedule('none', { every: EVERY, catchUp: 'none' });
  const ids = ['decorated', 'none'];
  const ticked = (after: number) =>
    world.until(
      () => ids.every((id) => ticksOf(world, id).times.filter((time) => time > after).length >= 3),
      'each of the schedules runs',
    );
  await ticked(0);

  const begin = Date.now();
  if (absence === 'the server is stopped') await world.server.stop();
  else await Promise.all(replicas.map((replica) => replica.kill()));
  // There is nothing to wait for.
  await sleep(Math.max(begin + OUTAGE - Date.now(), 0));
  const end = Date.now();
  if (absence === 'the server is stopped') await world.server.restart();
  else replicas = await start();
  await ticked(end + EVERY);

  const [one, none] = ids.map((id) => ticksOf(world, id).gap(EVERY));
  assert(one && none && none.before <= begin && none.after > end, JSON.stringify({ begin, end, one, none }));
  // The run that makes up is that of the last tick that was missed. From then on both are the same.
  assert.equal(one.after, none.after - EVERY);
  for (const id of ids) assert.deepEqual(ticksOf(world, id).doubled, []);
  await finish(world, replicas, ids);
}

/**
 * A task takes longer than its period, and its process is killed: it runs again elsewhere, and until it has ended no
 * other is begun.
 */
export async function noOverlap(world: World): Promise<void> {
  const start = () => world.start({ role: 'worker' }, { scheduled: true });
  const replicas = await Promise.all([start(), start(), start()]);
  const [setter] = replicas;
  await setter.ask.schedule('alone', { every: EVERY, args: [900], overlap: 'skip' });
  // The decorated one runs beside it.
  const entries = (kind: Happening) => {
    const tasks = new Set(ticksOf(world, 'alone').tasks);
    return world.noted(kind).filter(({ id }) => tasks.has(id));
  };
  const running = () => {
    const finished = new Set(entries('finished').map(({ id }) => id));
    return entries('started').find(({ id }) => !finished.has(id));
  };
  const runs = (times: number) =>
    world.until(() => entries('finished').length >= times && running() !== undefined, `it runs ${times} times`);
  await runs(2);
  const { id: interrupted, pid } = running() as Entry;
  await replicas.find((replica) => replica.pid === pid)?.kill();
  const survivor = replicas.find((replica) => replica.pid !== pid) as TestProcess;

  const status = () => survivor.ask.scheduleStatus('alone');
  await world.until(
    async () => (await status())?.lastSkip?.because === interrupted,
    'it is told why ticks are left out',
  );
  assert.equal((await status())?.lastRun?.id, interrupted);
  await world.finished([interrupted]);
  await runs(entries('finished').length + 2);

  const tasks = new Set(ticksOf(world, 'alone').tasks);
  let alone: string | undefined;
  for (const { what, id } of world.entries().filter((entry) => tasks.has(entry.id))) {
    if (what === 'started') assert.equal(id, alone ?? id, `${id} was begun beside ${alone}.`);
    if (what !== 'ticked') alone = what === 'started' ? id : undefined;
  }
  const begun = world.noted('started', interrupted);
  assert.deepEqual([begun.length, begun[0]?.pid === pid, begun[1]?.pid === pid], [2, true, false]);
  const told = replicas.flatMap(({ lines }) => lines.filter((line) => line.includes(interrupted)));
  assert(told.some((line) => line.includes('Schedule "alone" leaves out its run')));
  await finish(
    world,
    replicas.filter((replica) => replica.pid !== pid),
    ['alone', 'decorated'],
  );
}

/** Lets what runs come to its end, and keeps book of all that ran. */
async function finish(world: World, living: readonly TestProcess[], schedules: readonly string[]): Promise<void> {
  const ran = () => schedules.flatMap((id) => ticksOf(world, id).tasks);
  // What a killed process left behind too; what begins after that ends before its process stops.
  await world.finished(ran());
  await Promise.all(living.map((replica) => replica.stop()));
  world.enqueued.push(...ran());
  await world.finished();
}
