import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskStatus } from 'nestjs-task-queue';
import type { TestProcess } from '../support/test-process.js';
import { ticksOf } from '../support/ticks.js';
import type { World } from '../support/world.js';

/** The period of the schedule that `TimedWork` declares, in milliseconds. */
const EVERY = 250;
/** Milliseconds. Results are kept for much less than the clocks differ. */
const TTL = 60_000;
const OPTIONS = { results: { ttl: TTL, failedTtl: TTL } };
/** Milliseconds. The delay of tasks, much less than the clocks differ. */
const DELAY = 1_500;
/** Milliseconds. A busy process measures its clock less exactly. */
const TOLERANCE = 500;

/**
 * Two replicas, one of which has a wrong clock. Ticks, delayed tasks, expiry and results are those of the server's clock,
 * whichever replica stores, runs or reads a task, and also when the wrong replica has died.
 */
export async function wrongClock(world: World, ahead: number): Promise<void> {
  const right = await world.start({ role: 'worker', ...OPTIONS }, { scheduled: true });
  const wrong = await startWith(world, ahead);
  const differs = wrong.lines.filter((line) => line.includes('The clock of this process is'));
  assert.equal(differs.length, 1, `one line tells the difference: ${differs.join('\n')}`);
  assert(differs[0]?.includes(ahead > 0 ? 'ahead of' : 'behind'));

  // What the wrong replica stores of schedules does not stop them.
  await wrong.ask.schedule('made', { every: EVERY });
  await wrong.ask.schedule('paused', { every: EVERY });
  await wrong.ask.pauseAndResume('paused');
  await bothRanTicks(world, [right, wrong]);

  const soon = await enqueueByEach(world, [right, wrong], { delay: DELAY });
  const unexpired = await enqueueByEach(world, [right, wrong], { expires: '30s' });
  const both = await enqueueUntilEachRan(world, [right, wrong]);
  await world.finished([...soon, ...unexpired, ...both]);
  for (const reader of [right, wrong]) {
    for (const status of await endedStates(world, reader, [...soon, ...unexpired, ...both])) checkTimes(status);
    for (const status of await world.states(reader, soon)) checkDelay(status);
  }
  const late = await enqueueByEach(world, [right, wrong], { delay: DELAY, expires: DELAY / 3 });
  for (const id of late) assert.equal((await right.ask.result(id)).error?.name, 'TaskExpiredError');
  world.enqueued.splice(-late.length);

  await wrong.kill();
  await noTickIsMissing(world, ['decorated', 'made'], Date.now() + 1_000);
  const resumed = ticksOf(world, 'paused').times.length;
  await world.until(() => ticksOf(world, 'paused').times.length > resumed, 'the schedule that was paused goes on');
  await finish(world, [right], ['decorated', 'made', 'paused']);
}

/** The clock of a worker is changed while it runs tasks, and put right again. */
export async function changedClock(world: World, change: number): Promise<void> {
  const worker = await startWith(world, 0);
  await world.start({ role: 'worker', ...OPTIONS }, { scheduled: true });
  const producer = await world.start({ role: 'producer', ...OPTIONS });
  // It runs for longer than a worker may go without a sign of life.
  const [long] = await enqueueUntilEachRan(world, [worker], 5_000);
  const delayed = await enqueueByEach(world, [producer, worker], { delay: DELAY });
  await worker.ask.putClockAhead(change);
  delayed.push(...(await enqueueByEach(world, [worker], { delay: DELAY })));
  const text = change > 0 ? 'was put forward' : 'was put back';
  await world.until(() => worker.lines.some((line) => line.includes(text)), 'the log tells that the clock was changed');
  const first = await enqueueUntilEachRan(world, [worker]);
  await noTickIsMissing(world, ['decorated'], Date.now() + 1_000);
  await worker.ask.putClockAhead(0);
  const second = await enqueueUntilEachRan(world, [worker]);
  await world.finished();
  for (const id of [long as string, ...first, ...second, ...delayed]) {
    assert.equal(world.recorded('started', id).length, 1, `${id} started once`);
  }
  for (const status of await endedStates(world, producer, [...delayed, ...first, ...second])) checkTimes(status);
  for (const status of await world.states(producer, delayed)) checkDelay(status);
  await noTickIsMissing(world, ['decorated'], Date.now() + 1_000);
  await finish(world, [], ['decorated']);
}

/** Five replicas whose clocks are up to two days apart. Each tick has one task, also when all but one are killed. */
export async function fiveClocks(world: World, clocks: readonly number[]): Promise<void> {
  const replicas = await Promise.all(clocks.map((ahead) => startWith(world, ahead)));
  await noTickIsMissing(world, ['decorated'], Date.now() + 2_000);
  for (const replica of replicas.slice(1)) {
    await replica.kill();
    await noTickIsMissing(world, ['decorated'], Date.now() + 2 * EVERY);
  }
  await finish(world, replicas.slice(0, 1), ['decorated']);
}

function startWith(world: World, clockAhead: number): Promise<TestProcess> {
  return world.start({ role: 'worker', ...OPTIONS }, { scheduled: true, clockAhead });
}

async function enqueueByEach(
  world: World,
  producers: readonly TestProcess[],
  options: { delay?: number; expires?: number | string },
): Promise<string[]> {
  const ids = await Promise.all(producers.map(({ ask }) => ask.enqueueWith(options as { delay: number }, 'slow', [1])));
  world.enqueued.push(...ids);
  return ids;
}

/** Enqueues tasks until each of these workers runs one. Returns one of each worker. */
async function enqueueUntilEachRan(
  world: World,
  workers: readonly TestProcess[],
  milliseconds = 20,
): Promise<string[]> {
  const ids: string[] = [];
  const taken = () =>
    workers.map(({ pid }) => ids.find((id) => world.recorded('started', id).some((e) => e.pid === pid)));
  await world.until(async () => {
    if (!taken().includes(undefined)) return true;
    ids.push(...(await world.enqueue(workers[0] as TestProcess, 'slow', [milliseconds], 2)));
    await world.started(ids);
    return !taken().includes(undefined);
  }, 'each worker takes a task');
  return taken() as string[];
}

async function bothRanTicks(world: World, replicas: readonly TestProcess[]): Promise<void> {
  await world.until(
    () => replicas.every(({ pid }) => world.recorded('ticked').some((entry) => entry.pid === pid)),
    'each replica runs ticks',
  );
}

/** Waits until each tick up to `until` has a task, and checks that none has two. */
async function noTickIsMissing(world: World, schedules: readonly string[], until: number): Promise<void> {
  await sleep(Math.max(until - Date.now(), 0));
  const missing = () => schedules.flatMap((id) => ticksOf(world, id).missing(EVERY, until));
  await world.until(
    () => missing().length === 0,
    () =>
      `no tick is missing (missing: ${missing()
        .map((tick) => new Date(tick).toISOString())
        .join(', ')})`,
  );
  for (const id of schedules) assert.deepEqual(ticksOf(world, id).doubled, []);
}

/** The states of tasks whose methods have finished, once their ends are stored. */
async function endedStates(world: World, reader: TestProcess, ids: readonly string[]): Promise<TaskStatus[]> {
  const states = () => world.states(reader, ids);
  await world.until(
    async () => (await states()).every(({ finishedAt }) => finishedAt !== null),
    'the ends of all tasks are stored',
  );
  return states();
}

/** The times that a status shows are those of the server, which has the clock of this host. */
function checkTimes({ id, state, enqueuedAt, startedAt, finishedAt }: TaskStatus): void {
  assert.equal(state, 'succeeded', `${id} is ${state}`);
  const times = [enqueuedAt, startedAt, finishedAt].map((time) => Date.parse(time as string));
  for (const [index, time] of times.entries()) {
    assert(
      time >= (times[index - 1] ?? 0) - TOLERANCE,
      `${id} has the times ${enqueuedAt}, ${startedAt}, ${finishedAt}`,
    );
  }
  for (const time of times)
    assert(Math.abs(time - Date.now()) < TTL, `${id} has the time ${new Date(time).toISOString()}`);
}

function checkDelay({ id, enqueuedAt, startedAt }: TaskStatus): void {
  const waited = Date.parse(startedAt as string) - Date.parse(enqueuedAt);
  assert(waited >= DELAY - TOLERANCE, `${id} has a delay of ${DELAY} ms and started after ${waited} ms`);
}

async function finish(world: World, living: readonly TestProcess[], schedules: readonly string[]): Promise<void> {
  const ran = () => schedules.flatMap((id) => ticksOf(world, id).tasks);
  await world.finished(ran());
  await Promise.all(living.map((replica) => replica.stop()));
  world.enqueued.push(...ran());
}
