import assert from 'node:assert/strict';
import fc from 'fast-check';
import { comparable, evaluate } from '../../support/evaluate-shape.js';
import { tagged, timedShapes, type Shape } from '../../support/workflow-shapes.js';
import { linkAsText } from '../support/shape-journal.js';
import type { TestProcess } from '../support/test-process.js';
import type { World } from '../support/world.js';

/** A fixed seed gives the same workflows in every run, so that a failure can be repeated. */
const SEED = 20_261_124;
/** With two workers, one goes on while the other is dead. */
const WORKERS = 2;
/** Results are kept for less time than a workflow takes. */
const OPTIONS = {
  results: { ttl: '100ms' },
  queues: { default: { concurrency: 5, priorities: true, rateLimit: { max: 50, per: 20 } } },
} as const;
/** Milliseconds that a workflow may take while its workers are killed. */
const PATIENCE = 60_000;

interface Workflow {
  readonly id: string;
  readonly name: string;
  readonly shape: Shape;
}

/**
 * Random nested workflows with delays, dates and priorities, in a queue with a rate limit, run while a worker is killed many times, each time at a random moment. Each workflow gives
 * the result that `evaluate` computes in memory, each link is one task, and no task is left waiting.
 */
export async function killedWorkflows(world: World, { kills, each }: { kills: number; each: number }): Promise<void> {
  const random = fc.sample(fc.nat(200), { numRuns: kills, seed: SEED });
  const described = fc.sample(timedShapes(3), { numRuns: kills * each, seed: SEED });
  const web = await world.start({ role: 'producer', ...OPTIONS });
  const start = () => world.start({ role: 'worker', ...OPTIONS });
  const workers = await Promise.all(Array.from({ length: WORKERS }, start));
  const workflows: Workflow[] = [];
  for (const [kill, moment] of random.entries()) {
    const next = described.slice(kill * each, (kill + 1) * each);
    workflows.push(
      ...(await Promise.all(next.map((shape, index) => enqueue(world, web, shape, `${kill * each + index}`)))),
    );
    await new Promise((resolve) => setTimeout(resolve, moment));
    const victim = workers.splice(kill % WORKERS, 1)[0] as TestProcess;
    await victim.kill();
    const running = await web.ask.running();
    workers.push(await start());
    // A task whose worker dies twice fails as a poisoned task. So every task of the dead worker ends before the next
    // kill.
    await world.until(
      async () => (await Promise.all(running.map((id) => web.ask.isFinal(id)))).every(Boolean),
      'the tasks of the dead worker end elsewhere',
    );
  }
  for (const workflow of workflows) await check(web, workflow);
  await world.until(async () => (await web.ask.unfinished()) === 0, 'every job of the workflows becomes final');
  for (const workflow of workflows) checkLinks(world, workflow);
}

async function enqueue(world: World, web: TestProcess, described: Shape, name: string): Promise<Workflow> {
  const shape = tagged(described, name);
  const id = await web.ask.enqueueShape(shape);
  world.enqueued.push(id);
  if (!evaluate(shape, 2).result.ok) world.failedOnPurpose.push(id);
  return { id, name, shape };
}

async function check(web: TestProcess, { id, name, shape }: Workflow): Promise<void> {
  const which = `Workflow ${name} of seed ${SEED}, ${JSON.stringify(shape)}`;
  const expected = evaluate(shape, 2).result;
  const { result, error } = await web.ask.result(id, PATIENCE);
  // Compared as text, because objects from another process have other prototypes.
  if (expected.ok)
    assert.equal(
      JSON.stringify({ error, result: comparable(result) }),
      JSON.stringify({ result: expected.value }),
      which,
    );
  else assert.equal(error?.code, 'WORKFLOW_FAILED', which);
  assert.doesNotMatch(error?.message ?? '', /died or lost/, which);
}

/** Checks that each link is one task. That task may have run more than once, as any task whose worker is killed. */
function checkLinks(world: World, { name, shape }: Workflow): void {
  const ran = new Map<string, string>();
  for (const { id, detail } of world.recorded('linked')) if (detail.startsWith(`${name}.`)) ran.set(id, detail);
  const { links, knowsLinks } = evaluate(shape, 2);
  const recorded = [...ran.values()].toSorted();
  const which = `The links of workflow ${name} of seed ${SEED}, ${JSON.stringify(shape)}`;
  if (knowsLinks) assert.deepEqual(recorded, links.map(linkAsText).toSorted(), which);
  else assert.equal(new Set(recorded.map((link) => link.split('=')[0])).size, recorded.length, which);
}
