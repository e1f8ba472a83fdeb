import assert from 'node:assert/strict';
import fc from 'fast-check';
import { evaluate } from '../../support/evaluate-shape.js';
import { shapes, tagged } from '../../support/workflow-shapes.js';
import type { TestProcess } from '../support/test-process.js';
import { ticksOf } from '../support/ticks.js';
import type { World } from '../support/world.js';

const EARLIER = { version: '0.1.0' } as const;
const THIS = {};
/** A fixed seed gives the same workflows in every run. */
const SEED = 20_261_127;
/** Milliseconds between two ticks of `TimedWork.tick`. */
const EVERY = 250;
/** Milliseconds that a result may take. */
const PATIENCE = 60_000;

/**
 * The processes of a deploy: an application is replaced by one with the next version, and put back, while both versions
 * enqueue, run tasks, workflows and schedules, and wait for each other's results. Nothing is lost, in either direction.
 */
export async function versionsSideBySide(
  world: World,
  { tasks, workflows }: { tasks: number; workflows: number },
): Promise<void> {
  const worker = (version: typeof EARLIER | typeof THIS) =>
    world.start({ role: 'worker', shutdown: { grace: '5s' } }, { ...version, scheduled: true });
  const webs = [await world.start({ role: 'producer' }, EARLIER), await world.start({ role: 'producer' }, THIS)];
  const workers = [await worker(EARLIER)];
  const files = await Promise.all([...webs, ...workers].map(({ ask }) => ask.packageFile()));
  assert.deepEqual(
    files.map((file) => file.endsWith('/lib/index.ts')),
    [false, true, false],
  );
  const stopOldest = async () => {
    await (workers.shift() as TestProcess).stop();
  };
  const load = async () => {
    for (const [index, web] of webs.entries()) {
      const ids = await world.enqueueMany(web, 'steps', [3, 20], tasks);
      const other = webs[1 - index] as TestProcess;
      // The process with the other version waits for the results.
      results.push(...ids.map(async (id) => [id, (await other.ask.result(id, PATIENCE)).result] as const));
      shaped.push(...(await enqueueShapes(world, web, workflows)));
    }
  };
  const results: Promise<readonly [id: string, result: unknown]>[] = [];
  const shaped: string[] = [];

  await load();
  workers.push(await worker(THIS));
  await load();
  // The deploy goes on: only this version runs tasks, also those that the earlier one stored.
  await stopOldest();
  await load();
  // The deploy is taken back.
  workers.push(await worker(EARLIER));
  await load();
  await stopOldest();
  await load();

  for (const [id, result] of await Promise.all(results)) assert.equal(result, id);
  for (const id of shaped) {
    const { result, error } = await (webs[1] as TestProcess).ask.result(id, PATIENCE);
    if (world.failedOnPurpose.includes(id)) assert.equal(error?.code, 'WORKFLOW_FAILED');
    else assert(result !== undefined, `The workflow ${id} ended with ${JSON.stringify(error)}.`);
  }
  await world.finished([...world.enqueued].filter((id) => !world.failedOnPurpose.includes(id)));
  while (workers.length > 0) await stopOldest();
  const ticks = ticksOf(world, 'decorated');
  assert.deepEqual(ticks.doubled, []);
  assert.deepEqual(ticks.missing(EVERY, ticks.times.at(-1) as number), []);
  world.enqueued.push(...ticks.tasks);
  assert.equal(world.counts().duplicated, 0);
}

async function enqueueShapes(world: World, web: TestProcess, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (const described of fc.sample(shapes(3), { numRuns: count, seed: SEED + world.enqueued.length })) {
    const shape = tagged(described, `${world.enqueued.length}`);
    const id = await web.ask.enqueueShape(shape);
    world.enqueued.push(id);
    if (!evaluate(shape, 2).result.ok) world.failedOnPurpose.push(id);
    ids.push(id);
  }
  return ids;
}
