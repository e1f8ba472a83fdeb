import assert from 'node:assert/strict';
import fc from 'fast-check';
import { comparable, evaluate } from '../../support/evaluate-shape.js';
import { shapes, tagged, type Shape } from '../../support/workflow-shapes.js';
import { linkAsText } from '../support/shape-journal.js';
import type { TestProcess } from '../support/test-process.js';
import type { World } from '../support/world.js';

/** The same workflows each time: whoever sees one of them fail can run it again. */
const SEED = 20_261_124;
/** Two are enough that one goes on while the other is dead. */
const WORKERS = 2;
/** How long a workflow may take while its workers are killed. */
const PATIENCE = 60_000;

interface Workflow {
  readonly id: string;
  readonly name: string;
  readonly shape: Shape;
}

/**
 * Random nested workflows, and a worker that is killed again and again at a random moment: each gives what it gives in
 * memory, whoever is to be told of an end is told, by one task, and nothing is left waiting.
 */
export async function killedWorkflows(world: World, { kills, each }: { kills: number; each: number }): Promise<void> {
  const random = fc.sample(fc.nat(200), { numRuns: kills, seed: SEED });
  const described = fc.sample(shapes(3), { numRuns: kills * each, seed: SEED });
  const web = await world.start({ role: 'producer' });
  const start = () => world.start({ role: 'worker', queues: { default: { concurrency: 5 } } });
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
    // A task that kills its worker twice fails, and here none is to look as if it did.
    await world.until(
      async () => (await Promise.all(running.map((id) => web.ask.isFinal(id)))).every(Boolean),
      'what the dead worker ran goes on elsewhere',
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
  // As text, for objects that come from another process have prototypes of their own.
  if (expected.ok)
    assert.equal(
      JSON.stringify({ error, result: comparable(result) }),
      JSON.stringify({ result: expected.value }),
      which,
    );
  else assert.equal(error?.code, 'WORKFLOW_FAILED', which);
  assert.doesNotMatch(error?.message ?? '', /died or lost/, which);
}

/** Each is one task, which may have run more than once, as any whose worker is killed. */
function checkLinks(world: World, { name, shape }: Workflow): void {
  const ran = new Map<string, string>();
  for (const { id, more } of world.noted('linked')) if (more.startsWith(`${name}.`)) ran.set(id, more);
  const { links, knowsLinks } = evaluate(shape, 2);
  const told = [...ran.values()].toSorted();
  const which = `The links of workflow ${name} of seed ${SEED}, ${JSON.stringify(shape)}`;
  if (knowsLinks) assert.deepEqual(told, links.map(linkAsText).toSorted(), which);
  else assert.equal(new Set(told.map((link) => link.split('=')[0])).size, told.length, which);
}
