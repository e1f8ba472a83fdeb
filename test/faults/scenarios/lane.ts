import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import type { Shape } from '../../support/workflow-shapes.js';
import type { TestProcess } from '../support/test-process.js';
import type { World } from '../support/world.js';

const CONCURRENCY = 20;
const CHORD: Shape = {
  kind: 'chord',
  members: [1, 2, 3].map((value) => ({ kind: 'add', value })),
  callback: { kind: 'sum' },
};
const QUEUES = { default: { concurrency: CONCURRENCY } };

/**
 * A worker stores many ends with one statement. In the middle of it, the server ends its connection; then the worker itself is
 * killed in the middle of another one, which the server carries out without it. No task is lost, and none whose end is stored runs
 * again.
 */
export async function killedInStatement(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' });
  // On a busy machine, a worker must not lose the tasks whose ends it stores a second time.
  const start = () => world.start({ role: 'worker', queues: QUEUES, abandonedAfter: '6s' });
  const victim = await start();
  await inStatement(world, web, async (client, pid) => {
    await client.query('SELECT pg_terminate_backend($1)', [pid]);
    await world.until(
      async () => !(await statementsOf(client, 'task_queue_lane')).includes(pid),
      'the server ends the connection',
    );
  });
  await world.finished();
  await world.finalStates(web);
  assert.equal(world.counts().duplicated, 0);
  const ids = await inStatement(world, web, () => victim.kill());
  await world.until(async () => (await storedEnds(world, ids)).length > 0, 'the server stores the ends');
  const stored = await storedEnds(world, ids);
  await start();
  await world.finished();
  const states = await world.finalStates(web);
  assert.deepEqual(new Set(states.map(({ state }) => state)), new Set(['succeeded']));
  for (const id of stored) assert.equal(world.recorded('finished', id).length, 1);
}

async function storedEnds(world: World, ids: readonly string[]): Promise<string[]> {
  const client = new pg.Client(world.server.url);
  await client.connect();
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM "${world.prefix}".job WHERE state = 'completed' AND id = ANY($1)`,
    [ids],
  );
  await client.end();
  return rows.map(({ id }) => id);
}

/**
 * One statement stores a task and takes it for the idle worker of the same process. In the middle of it, the server ends its connection;
 * then the process is killed in the middle of another one, which the server carries out without it. Each task finishes once.
 */
export async function killedWhileItTakes(world: World): Promise<void> {
  const victim = await world.start({ role: 'both', queues: QUEUES });
  const client = new pg.Client(world.server.url);
  await client.connect();
  try {
    await client.query(TURNSTILE.replaceAll('SCHEMA', world.prefix));
    const whileItTakes = async (disturb: (pid: number) => Promise<unknown>) => {
      await world.enqueue(victim, 'slow', [1]);
      await world.finished();
      // Then the worker is idle.
      await setTimeout(200);
      await client.query('SELECT pg_advisory_lock(4711)');
      const enqueued = world.enqueue(victim, 'slow', [1]).catch(() => undefined);
      await disturb(await statementWith(world, client, 'add_job(%move_to_active('));
      await client.query('SELECT pg_advisory_unlock(4711)');
      await enqueued;
    };
    await whileItTakes((pid) => client.query('SELECT pg_terminate_backend($1)', [pid]));
    await world.finished();
    assert.deepEqual([world.refused, world.counts().duplicated], [0, 0]);
    await whileItTakes(() => victim.kill());
    const taken = async () => {
      const { rows } = await client.query<{ id: string }>(
        `SELECT id FROM "${world.prefix}".job WHERE state = 'active'`,
      );
      return rows.map(({ id }) => id);
    };
    await world.until(async () => (await taken()).length > 0, 'the server carries the statement out');
    world.enqueued.push(...(await taken()));
  } finally {
    await client.end();
  }
  const other = await world.start({ role: 'both', queues: QUEUES });
  await world.finished();
  const states = await world.finalStates(other);
  assert.deepEqual(
    states.map(({ state }) => state),
    Array.from({ length: 4 }, () => 'succeeded'),
  );
  assert.deepEqual([world.counts().lost, world.counts().duplicated], [0, 0]);
}

/**
 * Calls `disturb` while a worker waits for the statement that stores the ends of its tasks.
 *
 * @returns the tasks of the worker
 */
async function inStatement(
  world: World,
  web: TestProcess,
  disturb: (client: pg.Client, pid: number) => Promise<void>,
): Promise<string[]> {
  const client = new pg.Client(world.server.url);
  await client.connect();
  try {
    await client.query(TURNSTILE.replaceAll('SCHEMA', world.prefix));
    const ids = await world.enqueueMany(web, 'slow', [1_000], 3 * CONCURRENCY);
    await world.until(
      () => world.recorded('started').filter(({ id }) => ids.includes(id)).length >= CONCURRENCY,
      'the worker is full',
    );
    await client.query('SELECT pg_advisory_lock(4711)');
    await disturb(client, await statementWith(world, client, 'task_queue_lane'));
    await client.query('SELECT pg_advisory_unlock(4711)');
    return ids;
  } finally {
    await client.end();
  }
}

/** Makes each statement that writes an event wait while the test has the lock. A statement writes them after the jobs. */
const TURNSTILE = `
CREATE OR REPLACE FUNCTION "SCHEMA".turnstile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(4711);
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER turnstile BEFORE INSERT ON "SCHEMA".event FOR EACH ROW EXECUTE FUNCTION "SCHEMA".turnstile()`;

/** Waits until a statement with this text waits for a lock. @returns the process of the server that carries it out */
async function statementWith(world: World, client: pg.Client, text: string): Promise<number> {
  let pids: number[] = [];
  await world.until(async () => (pids = await statementsOf(client, text)).length > 0, 'a statement waits for the lock');
  return pids[0] as number;
}

/** The processes of the server whose statement contains a text, and waits for a lock. */
async function statementsOf(client: pg.Client, text: string): Promise<number[]> {
  const { rows } = await client.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1 AND pid <> pg_backend_pid()",
    [`%${text}%`],
  );
  return rows.map(({ pid }) => pid);
}

/**
 * Two processes run the tasks of one queue: tasks without options, and among them tasks with priorities, delays and keys, tasks
 * that fail and run again, and workflows. Each task finishes once, and no transaction of the server ends in a deadlock.
 */
export async function mixedQueue(world: World, { each }: { each: number }): Promise<void> {
  const queues = { default: { concurrency: CONCURRENCY, priorities: true } };
  const web = await world.start({ role: 'producer', queues });
  // A machine that is busy must not make a worker lose its tasks.
  const start = () => world.start({ role: 'worker', queues, abandonedAfter: '10s' });
  await Promise.all([start(), start()]);
  const keep = (id: string) => void world.enqueued.push(id);
  const times = <T>(count: number, call: (number: number) => Promise<T>) =>
    Promise.all(Array.from({ length: count }, (_, number) => call(number)));
  await Promise.all([
    world.enqueueMany(web, 'slow', [0], 6 * each),
    world.enqueueMany(web, 'flaky', [1], each),
    times(each, async (number) => keep(await web.ask.enqueueWith({ priority: number % 5 }, 'slow', [1]))),
    times(each, async (number) => keep(await web.ask.enqueueWith({ delay: number }, 'slow', [2]))),
    times(each, async (number) => keep(await web.ask.enqueueWith({}, 'keyed', [`${number}`]))),
    times(each / 5, async () => keep(await web.ask.enqueueShape(CHORD))),
  ]);
  await world.finished();
  await world.until(async () => (await web.ask.unfinished()) === 0, 'every job becomes final');
  const { lost, duplicated } = world.counts();
  assert.deepEqual({ lost, duplicated }, { lost: 0, duplicated: 0 });
  const client = new pg.Client(world.server.url);
  await client.connect();
  const { rows } = await client.query<{ deadlocks: string }>(
    'SELECT sum(deadlocks) AS deadlocks FROM pg_stat_database',
  );
  await client.end();
  assert.equal(Number(rows[0]?.deadlocks), 0);
}
