import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chain, WorkflowFailedError, type Signature, type TaskQueueError, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { comparable, evaluate, type LinkRun } from '../support/evaluate-shape.js';
import { SHAPE_LISTENER, ShapeTasks, signatureOf, type ShapeListener } from '../support/shape-tasks.js';
import { removeTask, unfinishedTasks } from '../support/unfinished-tasks.js';
import { until } from '../support/until.js';
import { shapes, tagged } from '../support/workflow-shapes.js';

/** Milliseconds for all runs of a property together. */
const TIME_LIMIT = 60_000;

/** The possible ends of a disturbed workflow. */
const ENDS = ['SUCCEEDED', 'WORKFLOW_FAILED', 'TASK_CANCELLED', 'TASK_EXPIRED'];

describeEachEngine('random workflows', (engine) => {
  let booted: Booted;
  let tasks: Tasks<ShapeTasks>;
  /** The first `free` tasks run at once, the others once the gate is open. */
  const control = {
    started: 0,
    free: Number.POSITIVE_INFINITY,
    held: new Gate(),
    gate: new Gate(),
    links: [] as LinkRun[],
  };
  const listener: ShapeListener = {
    async started() {
      if (control.started++ < control.free) return;
      control.held.open();
      await control.gate.opened;
    },
    linked: (_id, link) => control.links.push(link),
    ended: () => undefined,
  };

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 5 } } }, [
      ShapeTasks,
      { provide: SHAPE_LISTENER, useValue: listener },
    ]);
    tasks = booted.queue.of(ShapeTasks);
  });
  beforeEach(() => {
    control.links.length = 0;
    control.free = Number.POSITIVE_INFINITY;
  });
  afterAll(() => booted.app.close());

  const runs = (times: number) => ({
    numRuns: engine.name === 'embedded' ? Math.ceil(times / 3) : times,
    // Shrinking would run a failing workflow a hundred times more.
    endOnFailure: true,
  });
  const linksOf = (name: string) => control.links.filter(({ tag }) => tag.startsWith(`${name}.`)).toSorted(byTag);
  /** Waits until no job of any workflow waits or runs. */
  const allFinal = () =>
    until(async () => (await unfinishedTasks(booted)).length === 0, 'every job of the workflows becomes final', 15_000);

  it(
    'a workflow gives the result that evaluate() computes, or fails as a whole, and each link runs once',
    async () => {
      const ended: { name: string; links: readonly LinkRun[]; knowsLinks: boolean }[] = [];
      await fc.assert(
        fc.asyncProperty(shapes(3), async (described) => {
          const name = `${ended.length}`;
          const shape = tagged(described, name);
          const { result, links, knowsLinks } = evaluate(shape, 2);
          ended.push({ name, links: links.toSorted(byTag), knowsLinks });
          const whole: Signature = chain(tasks.give.signature(2), signatureOf(shape, tasks));
          const given: Promise<unknown> = (await whole.enqueue()).result({ timeout: '20s' });
          if (result.ok) expect(comparable(await given)).toEqual(result.value);
          else await expect(given).rejects.toBeInstanceOf(WorkflowFailedError);
          if (knowsLinks) await until(() => linksOf(name).length >= links.length);
        }),
        runs(50),
      );
      await allFinal();
      for (const { name, links, knowsLinks } of ended) {
        const ran = linksOf(name);
        if (knowsLinks) expect(ran).toEqual(links);
        else expect(new Set(ran.map(({ tag }) => tag)).size).toBe(ran.length);
      }
    },
    TIME_LIMIT,
  );

  const disturbances = fc.constantFrom('cancel a member', 'remove a member', 'expire', 'cancel the whole');
  it(
    'a disturbed workflow becomes final, and none of its jobs waits for ever',
    async () => {
      await fc.assert(
        fc.asyncProperty(shapes(3), disturbances, fc.nat(5), fc.nat(), async (shape, disturbance, after, which) => {
          Object.assign(control, { started: 0, free: after, held: new Gate(), gate: new Gate() });
          const rest = signatureOf(shape, tasks);
          const whole: Signature = chain(
            tasks.give.signature(2),
            disturbance === 'expire' ? rest.with({ expires: after + 1 }) : rest,
          );
          const handle = await whole.enqueue();
          const end = handle.result({ timeout: '15s' }).then(
            () => 'SUCCEEDED',
            ({ code }: TaskQueueError) => code,
          );
          await Promise.race([control.held.opened, end]);
          // The queue contains no other workflow.
          const members = (await unfinishedTasks(booted)).filter((id) => id !== handle.id);
          const member = members[which % members.length];
          if (disturbance === 'cancel the whole') await handle.cancel();
          if (disturbance === 'cancel a member') await booted.queue.handle(member ?? handle.id).cancel();
          // A running member is locked and cannot be removed.
          if (disturbance === 'remove a member' && member) await removeTask(booted, member).catch(() => 0);
          control.gate.open();
          expect(ENDS).toContain(await end);
          await allFinal();
        }),
        runs(40),
      );
    },
    TIME_LIMIT,
  );
});

function byTag(a: LinkRun, b: LinkRun): number {
  return a.tag.localeCompare(b.tag) || JSON.stringify(a.value).localeCompare(JSON.stringify(b.value));
}
