import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  chain,
  WorkflowFailedError,
  type Signature,
  type TaskHandle,
  type TaskQueueError,
  type Tasks,
} from 'nestjs-task-queue';
import { WORKFLOW_QUEUE } from '../../lib/engine/task-id.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type TestEngine } from '../support/engines.js';
import { comparable, evaluate, type LinkRun } from '../support/evaluate-shape.js';
import { Gate } from '../support/gate.js';
import { SHAPE_LISTENER, ShapeTasks, signatureOf, type ShapeListener } from '../support/shape-tasks.js';
import { storedTasks, unfinishedTasks } from '../support/unfinished-tasks.js';
import { until } from '../support/until.js';
import { tagged, timedShapes, type Shape } from '../support/workflow-shapes.js';

/** Milliseconds for all runs of a property together. */
const TIME_LIMIT = 60_000;
/** The codes with which a workflow may end that a caller cancels, or that expires. */
const ENDS = ['WORKFLOW_FAILED', 'TASK_CANCELLED', 'TASK_EXPIRED'];
const WITHIN = { timeout: '20s' } as const;

/** Workflows of which a property tries so many: the engine that stores nothing is the fastest place for bad luck. */
const RUNS: Readonly<Record<TestEngine['name'], number>> = { memory: 80, redis: 15, postgres: 10, embedded: 4 };

/** Workflows that run at the same time, while the results of their members are removed. */
const AT_ONCE = 8;
/** Milliseconds: longer than a result is kept, and than the time between two sweeps. */
const LAST_DELAY = 1_500;
const HOUR = 3_600_000;
const hostTime = Date.now.bind(Date);

/** What happened to the tasks of all workflows so far. */
interface Seen {
  readonly attempts: string[];
  readonly links: (LinkRun & { readonly id: string })[];
}

describeEachEngine('random workflows with delays, dates and priorities', (engine) => {
  let booted: Booted;
  let tasks: Tasks<ShapeTasks>;
  let seen: Seen;
  /** Called by each attempt of a task. */
  let onAttempt: () => void;

  beforeAll(async () => {
    const listener: ShapeListener = {
      async started(attempt) {
        if (attempt !== undefined) seen.attempts.push(attempt);
        onAttempt();
      },
      linked: (id, link) => seen.links.push({ id, ...link }),
      ended: () => undefined,
    };
    booted = await boot(
      {
        ...(await engine.place()),
        queues: { default: { concurrency: 5, priorities: true, rateLimit: { max: 50, per: 20 } } },
      },
      [ShapeTasks, { provide: SHAPE_LISTENER, useValue: listener }],
    );
    tasks = booted.queue.of(ShapeTasks);
  });
  beforeEach(() => {
    seen = { attempts: [], links: [] };
    onAttempt = () => undefined;
  });
  afterAll(() => booted.app.close());

  // Shrinking would run a failing workflow a hundred times more.
  const runs = { numRuns: RUNS[engine.name], endOnFailure: true };
  const linksOf = (name: string) => seen.links.filter(({ tag }) => tag.startsWith(`${name}.`));
  /** Each attempt ran once. A task runs again only in another attempt. */
  function expectNoAttemptTwice(): void {
    const twice = seen.attempts.filter((attempt, index) => seen.attempts.indexOf(attempt) !== index);
    expect(twice).toEqual([]);
  }

  /** Forgets a workflow and the callbacks of its ends, once they have ended: nothing of them is stored then. */
  async function expectNothingLeft(handle: TaskHandle): Promise<void> {
    const isEmpty = async () => (await storedTasks(booted)).length === 0;
    const forgetAll = async () => {
      await handle.forget();
      for (const { id } of seen.links) await booted.queue.handle(id).forget();
      // An end leaves the tasks behind that store its callbacks.
      return (await isEmpty()) && (await unfinishedTasks(booted, WORKFLOW_QUEUE)).length === 0 && (await isEmpty());
    };
    await until(forgetAll, 'nothing of the workflow is stored any more', 15_000);
  }

  it(
    'end as evaluate() computes, run each attempt and each callback once, and leave nothing behind when they are forgotten',
    async () => {
      let count = 0;
      await fc.assert(
        fc.asyncProperty(timedShapes(3), async (described) => {
          seen = { attempts: [], links: [] };
          const name = `${count++}`;
          const shape = tagged(described, name);
          const { result, links, knowsLinks } = evaluate(shape, 2);
          const whole: Signature = chain(tasks.give.signature(2), signatureOf(shape, tasks));
          const handle = await whole.enqueue();
          const given: Promise<unknown> = handle.result(WITHIN);
          if (result.ok) expect(comparable(await given)).toEqual(result.value);
          else await expect(given).rejects.toBeInstanceOf(WorkflowFailedError);
          if (knowsLinks) await until(() => linksOf(name).length >= links.length, 'each callback runs');
          await expectNothingLeft(handle);
          if (knowsLinks)
            expect(
              linksOf(name)
                .map(({ tag }) => tag)
                .toSorted(),
            ).toEqual(links.map(({ tag }) => tag).toSorted());
          else expect(new Set(linksOf(name).map(({ tag }) => tag)).size).toBe(linksOf(name).length);
          expectNoAttemptTwice();
        }),
        runs,
      );
    },
    TIME_LIMIT,
  );

  const moments = fc.record({
    /** The number of attempts after which it happens. */
    after: fc.nat(8),
    act: fc.constantFrom('cancel', 'cancel and retry', 'expire'),
  });
  it(
    'that are cancelled at a random moment tell their end, also after another run, and leave nothing behind',
    async () => {
      await fc.assert(
        fc.asyncProperty(timedShapes(3), moments, async (shape, { after, act }) => {
          seen = { attempts: [], links: [] };
          const moment = new Gate();
          onAttempt = () => seen.attempts.length > after && moment.open();
          const rest = signatureOf(tagged(shape, 'x'), tasks);
          const whole: Signature = chain(
            tasks.give.signature(2),
            act === 'expire' ? rest.with({ expires: 5 * (after + 1) }) : rest,
          );
          const handle = await whole.enqueue();
          const end = () =>
            handle.result(WITHIN).then(
              () => 'succeeded',
              ({ code }: TaskQueueError) => code,
            );
          const ended = end();
          if (act !== 'expire') {
            await Promise.race([moment.opened, ended]);
            await handle.cancel();
          }
          expect([...ENDS, 'succeeded']).toContain(await ended);
          if (act === 'cancel and retry') {
            await handle.retry();
            expect([...ENDS, 'succeeded']).toContain(await end());
          }
          await expectNothingLeft(handle);
          if (act !== 'cancel and retry') expectNoAttemptTwice();
        }),
        runs,
      );
    },
    TIME_LIMIT,
  );

  const leaps = fc.record({
    /** The number of attempts after which the clock is changed. */
    after: fc.nat(8),
    ahead: fc.constantFrom(HOUR, -HOUR),
    /** Milliseconds after which it is put right. */
    lasts: fc.integer({ min: 20, max: 200 }),
  });
  // Where the engine is in the process, its clock is that of the process: delays end when that says so.
  if (engine.name === 'embedded' || engine.name === 'memory') return;
  // A date that the application computes by a wrong clock is wrong.
  const withoutDates = timedShapes(3).filter((shape) => !JSON.stringify(shape).includes('"startIn"'));
  it(
    'end as evaluate() computes while the clock of their process leaps',
    async () => {
      await fc.assert(
        fc.asyncProperty(withoutDates, leaps, async (described, { after, ahead, lasts }) => {
          seen = { attempts: [], links: [] };
          const moment = new Gate();
          onAttempt = () => seen.attempts.length > after && moment.open();
          const shape = tagged(described, 'x');
          const { result } = evaluate(shape, 2);
          const whole: Signature = chain(tasks.give.signature(2), signatureOf(shape, tasks));
          const handle = await whole.enqueue();
          const end = handle.result(WITHIN).then(
            (value: unknown) => ({ value }),
            (error: unknown) => ({ error }),
          );
          try {
            await Promise.race([moment.opened, end]);
            jest.spyOn(Date, 'now').mockImplementation(() => hostTime() + ahead);
            await sleep(lasts);
          } finally {
            jest.restoreAllMocks();
          }
          const ended = await end;
          if (result.ok) expect('value' in ended ? comparable(ended.value) : ended.error).toEqual(result.value);
          else expect(ended).toEqual({ error: expect.any(WorkflowFailedError) });
          await expectNothingLeft(handle);
          expectNoAttemptTwice();
        }),
        runs,
      );
    },
    TIME_LIMIT,
  );
});

describeEachEngine('random workflows that take longer than results are kept', (engine) => {
  let booted: Booted;

  beforeAll(async () => {
    const listener: ShapeListener = { started: async () => undefined, linked: () => undefined, ended: () => undefined };
    booted = await boot(
      { ...(await engine.place()), results: { ttl: 1 }, queues: { default: { concurrency: 5, priorities: true } } },
      [ShapeTasks, { provide: SHAPE_LISTENER, useValue: listener }],
    );
  });
  afterAll(() => booted.app.close());

  it(
    'end as evaluate() computes',
    async () => {
      const tasks = booted.queue.of(ShapeTasks);
      const many = fc.array(timedShapes(3), { minLength: AT_ONCE, maxLength: AT_ONCE });
      const endsAsComputed = async (shape: Shape) => {
        const { result } = evaluate(shape, 2);
        const last = tasks.end.signature().with({ delay: LAST_DELAY });
        const inner = signatureOf(shape, tasks) as Signature<unknown, unknown>;
        const given: Promise<unknown> = (await chain(tasks.give.signature(2), inner, last).enqueue()).result(WITHIN);
        if (result.ok) expect(comparable(await given)).toEqual(result.value);
        else await expect(given).rejects.toBeInstanceOf(WorkflowFailedError);
      };
      await fc.assert(
        fc.asyncProperty(many, async (shapes) => void (await Promise.all(shapes.map(endsAsComputed)))),
        { numRuns: engine.name === 'embedded' ? 1 : 4, endOnFailure: true },
      );
    },
    TIME_LIMIT,
  );
});
