import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { chain, chord, group, WorkflowFailedError, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { GuideTasks } from '../support/guide-tasks.js';
import { until } from '../support/until.js';

const range = (length: number) => Array.from({ length }, (_, index) => index);
const pairs = (length: number) => range(length).map((index): [number, number] => [index, index]);
const resultOf = async <R>(handle: Promise<TaskHandle<R>>): Promise<R> => (await handle).result({ timeout: '20s' });

/**
 * The examples of Celery's canvas guide, in its order. Each test has the name of its heading in docs/workflows.md, and
 * test/unit/workflows-page.test.ts compares the two.
 */
describeEachEngine('the canvas guide', (engine) => {
  let booted: Booted;
  let provider: GuideTasks;
  let tasks: Tasks<GuideTasks>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 5 } } }, [GuideTasks]);
    provider = booted.app.get(GuideTasks);
    tasks = booted.queue.of(GuideTasks);
  });
  beforeEach(() => {
    provider.log.length = 0;
    provider.gate = new Gate();
  });
  afterAll(() => booted.app.close());

  const logged = async (...what: unknown[]) => {
    await until(() => provider.log.length >= what.length);
    expect(provider.log).toEqual(what);
  };
  const failureOf = async (handle: TaskHandle): Promise<WorkflowFailedError> => {
    const error: unknown = await handle.result({ timeout: '20s' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    return error as WorkflowFailedError;
  };

  describe('signatures', () => {
    it('A signature with options', async () => {
      const signature = tasks.add.signature(2, 2).with({ delay: '50ms' });
      expect(signature.toString()).toBe('GuideTasks.add(2, 2)');
      expect(signature.toJSON()).toMatchObject({ task: 'GuideTasks.add', args: [2, 2], delay: 50 });
      const handle = await signature.enqueue();
      expect(handle.initialState).toBe('scheduled');
      await expect(handle.result()).resolves.toBe(4);
    });

    it('By the name of the task', async () => {
      await expect(resultOf(booted.queue.of('GuideTasks.add').signature(2, 2).enqueue())).resolves.toBe(4);
    });

    it('Partials', async () => {
      const partial = tasks.add.signature(2);
      await expect(resultOf(partial.enqueue(4))).resolves.toBe(6);
      await expect(resultOf(partial.with({ delay: '50ms' }).enqueue(5))).resolves.toBe(7);
    });

    it('Immutability', async () => {
      await tasks.add.signature(2, 2).onSuccess(tasks.resetBuffers.signature().immutable()).enqueue();
      await logged('buffers reset');
      await expect(
        resultOf(chain(tasks.add.signature(2, 2), tasks.add.signature(1, 1).immutable()).enqueue()),
      ).resolves.toBe(2);
    });

    it('Callbacks', async () => {
      const then = tasks.add.signature(8).onSuccess(tasks.logResult.signature());
      await expect(resultOf(tasks.add.signature(2, 2).onSuccess(then).enqueue())).resolves.toBe(4);
      await logged(12);
    });
  });

  describe('the primitives', () => {
    it('A simple chain', async () => {
      const { add } = tasks;
      await expect(resultOf(chain(add.signature(2, 2), add.signature(4), add.signature(8)).enqueue())).resolves.toBe(
        16,
      );
    });

    it('Independent steps, and the results before the last', async () => {
      const { add } = tasks;
      const [first, second, third] = [add.signature(2, 2), add.signature(4, 4), add.signature(8, 8)] as const;
      const handle = await chain(first, second.immutable(), third.immutable()).enqueue();
      await expect(handle.result()).resolves.toBe(16);
      const steps = await handle.children();
      await expect(Promise.all(steps.map((step) => step.result()))).resolves.toEqual([4, 8, 16]);
    });

    it('A simple group', async () => {
      await expect(resultOf(group(range(10).map((i) => tasks.add.signature(i, i))).enqueue())).resolves.toEqual([
        0, 2, 4, 6, 8, 10, 12, 14, 16, 18,
      ]);
    });

    it('A simple chord', async () => {
      const header = range(10).map((i) => tasks.add.signature(i, i));
      await expect(resultOf(chord(header, tasks.xsum.signature()).enqueue())).resolves.toBe(90);
    });

    it('A callback that takes no results', async () => {
      const header = ['ann', 'bob'].map((contact) => tasks.importContact.signature(contact));
      const handle = await chord(header, tasks.notifyComplete.signature(7).immutable()).enqueue();
      await expect(handle.result()).resolves.toBe('import 7 is complete');
    });
  });

  describe('combining', () => {
    it('A chain may lack its input', async () => {
      const c1 = chain(tasks.add.signature(4), tasks.mul.signature(8));
      await expect(resultOf(c1.enqueue(16))).resolves.toBe(160);
    });

    it('Chains of chains', async () => {
      const inner = chain(tasks.add.signature(4), tasks.mul.signature(8));
      const c2 = chain(tasks.add.signature(4, 16), tasks.mul.signature(2), inner);
      await expect(resultOf(c2.enqueue())).resolves.toBe(352);
    });

    it('A group and then a task', async () => {
      const header = group(range(10).map((i) => tasks.add.signature(i, i)));
      await expect(resultOf(chain(header, tasks.xsum.signature()).enqueue())).resolves.toBe(90);
    });

    it('A result for every member of a group', async () => {
      const newUser = chain(
        tasks.createUser.signature(),
        group([tasks.importContacts.signature(), tasks.sendWelcomeEmail.signature()]),
      );
      await expect(resultOf(newUser.enqueue({ username: 'ann', email: 'ann@example.com' }))).resolves.toEqual([
        'contacts of user 1',
        'welcome to ann@example.com',
      ]);
    });

    it('A group that takes no result', async () => {
      const members = group(range(10).map((i) => tasks.add.signature(i, i).immutable()));
      const handle = await chain(tasks.add.signature(4, 4), members).enqueue();
      await expect(handle.result()).resolves.toEqual(range(10).map((i) => i + i));
      const [first] = await handle.children();
      await expect(first?.result()).resolves.toBe(8);
    });
  });

  describe('chains', () => {
    it('A linked task, and how to follow it', async () => {
      const handle = await chain(tasks.add.signature(2, 2), tasks.mul.signature(16)).enqueue();
      await expect(handle.result()).resolves.toBe(64);
      const [first, second] = await handle.children();
      await expect(first?.result()).resolves.toBe(4);
      await expect(second?.result()).resolves.toBe(64);
    });

    it('Several links', async () => {
      const { logResult } = tasks;
      const signature = tasks.add
        .signature(2, 2)
        .onSuccess(tasks.mul.signature(4).onSuccess(logResult.signature()))
        .onSuccess(logResult.signature());
      await signature.enqueue();
      await until(() => provider.log.length === 2);
      expect(new Set(provider.log)).toEqual(new Set([4, 16]));
    });

    it('An error callback', async () => {
      const failing = await tasks.raising.signature('no').onError(tasks.logError.signature()).enqueue();
      await expect(failing.result()).rejects.toMatchObject({ cause: { message: 'no' } });
      await logged('GuideTasks.raising: RangeError: no');
    });

    it('An error callback of a whole chain', async () => {
      const handle = await chain(
        tasks.add.signature(2, 2),
        tasks.raising.signature('no').immutable(),
        tasks.mul.signature(8),
      )
        .onError(tasks.logError.signature())
        .enqueue();
      await failureOf(handle);
      await logged(
        expect.stringMatching(/^GuideTasks\.mul: WorkflowFailedError: .*GuideTasks\.raising.*number 2: no$/),
      );
    });

    it('The results of the steps', async () => {
      const handle = await chain(tasks.add.signature(4, 4), tasks.mul.signature(8), tasks.mul.signature(10)).enqueue();
      expect(handle.name).toBe('chain(GuideTasks.add(4, 4), GuideTasks.mul(8), GuideTasks.mul(10))');
      await expect(handle.result()).resolves.toBe(640);
      const steps = await handle.children();
      await expect(Promise.all(steps.map((step) => step.result()))).resolves.toEqual([8, 64, 640]);
    });

    it('The graph of a workflow', async () => {
      const handle = await chord(
        [tasks.add.signature(1, 1), tasks.add.signature(2, 2)],
        tasks.xsum.signature(),
      ).enqueue();
      await handle.result();
      const [header, callback] = await handle.children();
      const members = await header?.children();
      expect(members?.map(({ name, state }) => [name, state])).toEqual([
        ['GuideTasks.add', 'succeeded'],
        ['GuideTasks.add', 'succeeded'],
      ]);
      expect([callback?.id, callback?.name]).toEqual([handle.id, 'GuideTasks.xsum']);
    });
  });

  describe('groups', () => {
    it('A group of a list', async () => {
      const members = group([tasks.add.signature(2, 2), tasks.add.signature(4, 4)]);
      expect(members.toString()).toBe('group([GuideTasks.add(2, 2), GuideTasks.add(4, 4)])');
      await expect(resultOf(members.enqueue())).resolves.toEqual([4, 8]);
    });

    it('Callbacks of a group', async () => {
      await group([tasks.add.signature(2, 2), tasks.add.signature(4, 4)])
        .onSuccess(tasks.logResult.signature())
        .enqueue();
      await logged([4, 8]);
    });

    it('Error callbacks of a group', async () => {
      const handle = await group([tasks.add.signature(2, 2), tasks.raising.signature('no')])
        .onError(tasks.logError.signature())
        .enqueue();
      await failureOf(handle);
      await logged(expect.stringMatching(/WorkflowFailedError: .*GuideTasks\.raising.*number 2: no$/));
    });

    it('Group results', async () => {
      const handle = await group([
        tasks.add.signature(2, 2),
        tasks.wait.signature(8),
        tasks.add.signature(8, 8),
      ]).enqueue();
      for await (const { progress } of handle.updates()) {
        if ((progress as { current: number } | null)?.current === 2) break;
      }
      await expect(handle.status()).resolves.toMatchObject({ state: 'waiting', progress: { current: 2, total: 3 } });
      const states = (await handle.children()).map(({ state }) => state);
      expect([states[0], states[2]]).toEqual(['succeeded', 'succeeded']);
      expect(states.every((state) => state === 'succeeded')).toBe(false);
      provider.gate.open();
      await expect(handle.result()).resolves.toEqual([4, 8, 16]);
      expect((await handle.children()).every(({ state }) => state === 'succeeded')).toBe(true);
    });

    it('Revoking a group', async () => {
      const handle = await group(range(9).map((i) => tasks.wait.signature(i))).enqueue();
      await handle.cancel('not needed any more');
      await expect(handle.result()).rejects.toMatchObject({ code: 'TASK_CANCELLED', message: 'not needed any more' });
      const members = await handle.children();
      const errors = await Promise.all(members.map((member) => member.result().catch((error: unknown) => error)));
      expect(errors).toEqual(range(9).map(() => expect.objectContaining({ code: 'TASK_CANCELLED' })));
    });

    it('Nested groups', async () => {
      const nested = group([
        group([tasks.add.signature(1, 1), tasks.add.signature(2, 2)]),
        group([tasks.add.signature(3, 3)]),
      ]);
      await expect(resultOf(nested.enqueue())).resolves.toEqual([[2, 4], [6]]);
    });
  });

  describe('chords', () => {
    it('A sum over a hundred tasks', async () => {
      const header = range(100).map((i) => tasks.add.signature(i, i));
      await expect(resultOf(chord(header, tasks.xsum.signature()).enqueue())).resolves.toBe(9900);
    });

    it('A chord whose member fails', async () => {
      const header = [tasks.add.signature(4, 4), tasks.raising.signature('something'), tasks.add.signature(8, 8)];
      const handle = await chord(header, tasks.xsum.signature()).enqueue();
      const error = await failureOf(handle);
      const [whole] = await handle.children();
      const members = (await whole?.children()) ?? [];
      expect(error).toMatchObject({ position: 1, member: { id: members[1]?.id, task: 'GuideTasks.raising' } });
      expect(error.cause).toMatchObject({ name: 'RangeError', message: 'something' });
    });

    it('An error callback of a chord', async () => {
      const callback = tasks.xsum.signature().onError(tasks.logError.signature());
      await failureOf(await chord([tasks.add.signature(1, 1), tasks.raising.signature('no')], callback).enqueue());
      await logged(expect.stringMatching(/^GuideTasks\.xsum: WorkflowFailedError: .*GuideTasks\.raising.*no$/));
    });

    it('Collecting failures', async () => {
      const header = group([tasks.add.signature(4, 4), tasks.raising.signature('no'), tasks.add.signature(8, 8)], {
        onFailure: 'collect',
      });
      await expect(resultOf(header.enqueue())).resolves.toEqual([
        { ok: true, value: 8 },
        { ok: false, error: { name: 'RangeError', message: 'no' } },
        { ok: true, value: 16 },
      ]);
    });
  });

  describe('many arguments', () => {
    it('Map', async () => {
      await expect(resultOf(tasks.xsum.map([range(10), range(100)]).enqueue())).resolves.toEqual([45, 4950]);
    });

    it('Starmap', async () => {
      await expect(resultOf(tasks.add.starmap(pairs(10)).enqueue())).resolves.toEqual(range(10).map((i) => i + i));
    });

    it('A starmap that waits', async () => {
      const handle = await tasks.add.starmap(pairs(2)).with({ delay: '50ms' }).enqueue();
      expect(handle.initialState).toBe('scheduled');
      await expect(handle.result()).resolves.toEqual([0, 2]);
    });

    it('Chunks', async () => {
      const handle = await tasks.add.chunks(pairs(100), 10).enqueue();
      await expect(handle.result()).resolves.toEqual(
        range(10).map((chunk) => range(10).map((i) => 2 * (10 * chunk + i))),
      );
      await expect(handle.children()).resolves.toHaveLength(10);
    });

    it('Chunks one after the other', async () => {
      const skewed = range(3).map((i) =>
        tasks.add.starmap(pairs(30).slice(10 * i, 10 * i + 10)).with({ delay: (i + 1) * 50 }),
      );
      const handle = await group(skewed).enqueue();
      await expect(handle.result()).resolves.toEqual(range(3).map((i) => range(10).map((j) => 2 * (10 * i + j))));
      const chunks = await Promise.all((await handle.children()).map((child) => child.status()));
      for (const [i, { enqueuedAt, startedAt }] of chunks.entries()) {
        // The delay counts from the call, shortly before the task is stored. Hence the 25 ms of tolerance.
        expect(Date.parse(startedAt as string) - Date.parse(enqueuedAt)).toBeGreaterThan(i * 50 + 25);
      }
    });
  });

  describe('stamping and replacing', () => {
    it('Stamping', async () => {
      const stamped = chain(
        tasks.stamps.signature().with({ headers: { step: '1' } }),
        group([tasks.stamps.signature().immutable()]),
      );
      const handle = await stamped.with({ headers: { import: '7' } }).enqueue();
      await expect(handle.result()).resolves.toEqual([{ import: '7' }]);
      const [first] = await handle.children();
      await expect(first?.result()).resolves.toEqual({ import: '7', step: '1' });
    });

    it('Replacing a task by another', async () => {
      const handle = await chain(tasks.delegate.signature(2, 2), tasks.mul.signature(10)).enqueue();
      await expect(handle.result()).resolves.toBe(40);
    });
  });
});
