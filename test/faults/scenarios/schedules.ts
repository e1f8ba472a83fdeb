import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../support/seeded-random.js';
import type { TestProcess } from '../support/test-process.js';
import { ticksOf } from '../support/ticks.js';
import type { JournalEvent } from '../support/journal.js';
import type { Entry, World } from '../support/world.js';

/** The period of the schedule that `TimedWork` declares, in milliseconds. */
const EVERY = 250;
/** Replicas that are killed at the same time. */
const AT_ONCE = 2;
/** Milliseconds without a replica or without the server: several ticks, and longer than a call may take. */
const OUTAGE = 2_500;

/**
 * Five replicas start, stop and are killed at random, while at least one of them lives. Each tick has exactly one task,
 * for a decorated schedule and for a schedule that was made at run time.
 */
export async function replicasComeAndGo(
  world: World,
  { rounds, seed = Math.floor(Math.random() * 1e9) }: { rounds: number; seed?: number },
): Promise<void> {
  const random = seededRandom(seed);
  const start = () => world.start({ role: 'worker' }, { scheduled: true });
  let living = await Promise.all(Array.from({ length: 5 }, start));
  await living[0]?.ask.schedule('made', { every: 200 });
  // While five processes start at once on a small machine, an answer of the server may take so long that it counts as an outage: then
  // ticks are missed.
  const begun = Date.now();
  const periods = { decorated: EVERY, made: 200 };
  const missing = (until: number) =>
    Object.entries(periods).flatMap(([id, every]) =>
      ticksOf(world, id)
        .missing(every, until)
        .filter((tick) => tick > begun)
        .map((tick) => `${id}@${new Date(tick).toISOString()}`),
    );
  const allUntil = (until: number) =>
    world.until(
      () => missing(until).length === 0,
      () => `no tick is missing (seed ${seed}, missing: ${missing(until).join(', ')})`,
      15_000,
    );

  for (let round = 0; round < rounds; round++) {
    // All ticks up to now have a task. So the replicas that die next can leave out only later ticks.
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

  // A task that is enqueued now runs after every task of an earlier tick: no second task of a tick can still come.
  const [survivor] = living as [TestProcess];
  await world.finalStates(survivor, await world.enqueue(survivor, 'slow', [1]));
  for (const id of Object.keys(periods)) {
    assert.deepEqual(ticksOf(world, id).doubled, [], `Ticks of ${id} have two tasks with the seed ${seed}.`);
  }
  await finish(world, living, Object.keys(periods));
}

/**
 * A replica is killed before each of the commands by which it handles a tick, one after the other, while another one goes on.
 * Each tick has exactly one task.
 *
 * @param commands more than a tick takes
 */
export async function killedInTick(world: World, { commands }: { commands: number }): Promise<void> {
  const every = 200;
  const survivor = await world.start({ role: 'worker' }, { scheduled: true });
  await survivor.ask.schedule('made', { every });
  const steps = Array.from({ length: commands }, (_, index) => index + 1);
  for (let first = 0; first < steps.length; first += AT_ONCE) {
    await Promise.all(
      steps.slice(first, first + AT_ONCE).map(async (killBeforeTick) => {
        // A replica may be killed while it starts.
        const victim = await world
          .start({ role: 'worker' }, { scheduled: true, killBeforeTick })
          .catch(() => undefined);
        await victim?.exited;
      }),
    );
  }
  const until = Date.now();
  await world.until(
    () => ticksOf(world, 'made').missing(every, until).length === 0,
    () => `no tick is missing (missing: ${ticksOf(world, 'made').missing(every, until).join(', ')})`,
    15_000,
  );
  await world.finalStates(survivor, await world.enqueue(survivor, 'slow', [1]));
  assert.deepEqual(ticksOf(world, 'made').doubled, []);
  await finish(world, [survivor], ['made', 'decorated']);
}

/** Why no replica handles the ticks. */
export type Absence = 'all replicas are killed' | 'the server is stopped';

/** No replica handles several ticks. One run makes up for them, or none, as `catchUp` of the schedule says. */
export async function missedTicks(world: World, absence: Absence): Promise<void> {
  const start = () => Promise.all([1, 2].map(() => world.start({ role: 'worker' }, { scheduled: true })));
  let replicas = await start();
  await replicas[0]?.ask.schedule('none', { every: EVERY, catchUp: 'none' });
  const ids = ['decorated', 'none'];
  const ticked = (after: number) =>
    world.until(
      () => ids.every((id) => ticksOf(world, id).times.filter((time) => time > after).length >= 3),
      'each schedule has run three times',
    );
  await ticked(0);

  const begin = Date.now();
  if (absence === 'the server is stopped') await world.server.stop();
  else await Promise.all(replicas.map((replica) => replica.kill()));
  // A plain pause: nothing happens that the test could wait for.
  await sleep(Math.max(begin + OUTAGE - Date.now(), 0));
  const end = Date.now();
  if (absence === 'the server is stopped') await world.server.restart();
  else replicas = await start();
  await ticked(end + EVERY);

  const [one, none] = ids.map((id) => ticksOf(world, id).gap(EVERY));
  assert(one && none && none.before <= begin && none.after > end, JSON.stringify({ begin, end, one, none }));
  // The run that makes up belongs to the last missed tick. From then on both schedules have the same ticks.
  assert.equal(one.after, none.after - EVERY);
  for (const id of ids) assert.deepEqual(ticksOf(world, id).doubled, []);
  await finish(world, replicas, ids);
}

/**
 * A task takes longer than its schedule's period, and its process is killed. The task runs again elsewhere, and the
 * schedule starts no other task until it has ended.
 */
export async function noOverlap(world: World): Promise<void> {
  const start = () => world.start({ role: 'worker' }, { scheduled: true });
  const replicas = await Promise.all([start(), start(), start()]);
  const [setter] = replicas;
  await setter.ask.schedule('alone', { every: EVERY, args: [900], overlap: 'skip' });
  // The tasks of this schedule only: the decorated schedule runs at the same time.
  const entries = (kind: JournalEvent) => {
    const tasks = new Set(ticksOf(world, 'alone').tasks);
    return world.recorded(kind).filter(({ id }) => tasks.has(id));
  };
  const running = () => {
    const finished = new Set(entries('finished').map(({ id }) => id));
    return entries('started').find(({ id }) => !finished.has(id));
  };
  const runs = (times: number) =>
    world.until(
      () => entries('finished').length >= times && running() !== undefined,
      `the schedule has run ${times} times`,
    );
  await runs(2);
  const { id: interrupted, pid } = running() as Entry;
  await replicas.find((replica) => replica.pid === pid)?.kill();
  const survivor = replicas.find((replica) => replica.pid !== pid) as TestProcess;

  const status = () => survivor.ask.scheduleStatus('alone');
  await world.until(
    async () => (await status())?.lastSkip?.because === interrupted,
    'the status names the task that makes the schedule skip ticks',
  );
  assert.equal((await status())?.lastRun?.id, interrupted);
  await world.finished([interrupted]);
  await runs(entries('finished').length + 2);

  const tasks = new Set(ticksOf(world, 'alone').tasks);
  let alone: string | undefined;
  for (const { event, id } of world.entries().filter((entry) => tasks.has(entry.id))) {
    if (event === 'started') assert.equal(id, alone ?? id, `${id} was started beside ${alone}.`);
    if (event !== 'ticked') alone = event === 'started' ? id : undefined;
  }
  const starts = world.recorded('started', interrupted);
  assert.deepEqual([starts.length, starts[0]?.pid === pid, starts[1]?.pid === pid], [2, true, false]);
  const lines = replicas.flatMap((replica) => replica.lines.filter((line) => line.includes(interrupted)));
  assert(lines.some((line) => line.includes('Schedule "alone" leaves out its run')));
  await finish(
    world,
    replicas.filter((replica) => replica.pid !== pid),
    ['alone', 'decorated'],
  );
}

/** Waits for the running tasks, stops the replicas, and counts every task of the schedules as enqueued. */
async function finish(world: World, living: readonly TestProcess[], schedules: readonly string[]): Promise<void> {
  const ran = () => schedules.flatMap((id) => ticksOf(world, id).tasks);
  // Also the tasks of killed processes. A task that starts later ends before its process stops.
  await world.finished(ran());
  await Promise.all(living.map((replica) => replica.stop()));
  world.enqueued.push(...ran());
  await world.finished();
}
