import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  chain,
  chord,
  group,
  WorkflowFailedError,
  type TaskHandle,
  type TaskStatus,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { Maths } from '../support/maths.js';
import { removeTask } from '../support/unfinished-tasks.js';
import { until } from '../support/until.js';

describeEachEngine('workflows', (engine) => {
  let booted: Booted;
  let maths: Tasks<Maths>;
  let provider: Maths;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 5 } } }, [Maths]);
    maths = booted.queue.of(Maths);
    provider = booted.app.get(Maths);
  });
  beforeEach(() => {
    provider.calls.length = 0;
    provider.links.length = 0;
    provider.healed = false;
    provider.gate = new Gate();
    provider.linked = new Gate();
  });
  afterAll(() => booted.app.close());

  const resultOf = async <R>(handle: TaskHandle<R> | Promise<TaskHandle<R>>): Promise<R> =>
    (await handle).result({ timeout: '20s' });
  /** Resolves with the first status for which the condition is true. */
  async function statusWhen<R>(
    handle: TaskHandle<R>,
    wanted: (status: TaskStatus<R>) => boolean,
  ): Promise<TaskStatus<R>> {
    for await (const status of handle.updates()) if (wanted(status)) return status;
    throw new Error('The workflow ended and never had the wanted status.');
  }

  it('a chain passes each result to the next step', async () => {
    const handle = await chain(maths.add.signature(2, 2), maths.add.signature(4), maths.double.signature()).enqueue();
    expect(handle.name).toBe('chain(Maths.add(2, 2), Maths.add(4), Maths.double())');
    await expect(resultOf(handle)).resolves.toBe(16);
    expect(provider.calls).toEqual(['add(2, 2)', 'add(4, 4)', 'double(8)']);
    expect((await handle.children()).map(({ name, state }) => [name, state])).toEqual([
      ['Maths.add', 'succeeded'],
      ['Maths.add', 'succeeded'],
      ['Maths.double', 'succeeded'],
    ]);
  });

  it('a group returns the results of its members in order', async () => {
    const handle = await group([1, 2, 3, 4].map((value) => maths.add.signature(value, value))).enqueue();
    expect(handle.initialState).toBe('waiting');
    await expect(resultOf(handle)).resolves.toEqual([2, 4, 6, 8]);
    const children = await handle.children();
    await expect(Promise.all(children.map((child) => child.result()))).resolves.toEqual([2, 4, 6, 8]);
  });

  it('a chord passes the results of its members to its callback', async () => {
    const whole = chord(group([maths.add.signature(1, 1), maths.add.signature(2, 2)]), maths.sum.signature());
    await expect(resultOf(whole.enqueue())).resolves.toBe(6);
    await expect(resultOf(chord([maths.add.signature(1, 1)], maths.sum.signature()).enqueue())).resolves.toBe(2);
  });

  it('chains, groups and chords can be nested in each other', async () => {
    const chains = [1, 2, 3].map((value) => chain(maths.add.signature(value), maths.double.signature()));
    const whole = chain(maths.add.signature(1, 1), chord(chains, maths.sum.signature()), maths.double.signature());
    // (2+1)*2 + (2+2)*2 + (2+3)*2 = 24
    await expect(resultOf(whole.enqueue())).resolves.toBe(48);
    const deep = group([group([maths.add.signature(1, 2)]), group([group([maths.add.signature(3, 4)])])]);
    await expect(resultOf(deep.enqueue())).resolves.toEqual([[3], [[7]]]);
    const after = chain(maths.add.signature(1, 1), group([maths.double.signature(), maths.add.signature(5)]));
    await expect(resultOf(after.enqueue())).resolves.toEqual([4, 7]);
    const twice = chain(
      maths.add.signature(1, 1),
      group([maths.double.signature(), maths.double.signature()]),
      group([maths.sum.signature(), maths.sum.signature()]),
      maths.sum.signature(),
    );
    await expect(resultOf(twice.enqueue())).resolves.toBe(16);
  });

  it('an empty group succeeds with [], also inside other workflows', async () => {
    await expect(resultOf(group([]).enqueue())).resolves.toEqual([]);
    await expect(resultOf(booted.queue.enqueue(group([])))).resolves.toEqual([]);
    await expect(resultOf(chord(group([]), maths.sum.signature()).enqueue())).resolves.toBe(0);
    await expect(resultOf(chain(maths.add.signature(1, 1), group([])).enqueue())).resolves.toEqual([]);
    await expect(resultOf(group([group([]), maths.add.signature(1, 1)]).enqueue())).resolves.toEqual([[], 2]);
  });

  it('an immutable signature gets no earlier result', async () => {
    await expect(
      resultOf(
        chain(maths.add.signature(1, 1), maths.add.signature(5, 5).immutable(), maths.double.signature()).enqueue(),
      ),
    ).resolves.toBe(20);
    await expect(
      resultOf(
        chain(
          maths.add.signature(1, 1),
          group([maths.add.signature(3, 3).immutable(), maths.double.signature()]),
        ).enqueue(),
      ),
    ).resolves.toEqual([6, 4]);
  });

  it('a signature stores nothing until it is enqueued, and can be enqueued twice', async () => {
    const signature = chain(maths.add.signature(1, 1), maths.double.signature());
    expect(JSON.parse(JSON.stringify(signature))).toEqual(signature.toJSON());
    await expect(Promise.all([resultOf(signature.enqueue()), resultOf(signature.enqueue())])).resolves.toEqual([4, 4]);
    expect(provider.calls.length).toBe(4);
  });

  it('a partial signature takes its first argument from enqueue()', async () => {
    await expect(resultOf(maths.add.signature(2).enqueue(4))).resolves.toBe(6);
    await expect(resultOf(chain(maths.add.signature(4), maths.double.signature()).enqueue(16))).resolves.toBe(40);
    await expect(resultOf(group([maths.add.signature(1), maths.double.signature()]).enqueue(5))).resolves.toEqual([
      6, 10,
    ]);
    await expect(
      resultOf(chord([maths.add.signature(1), maths.add.signature(2)], maths.sum.signature()).enqueue(1)),
    ).resolves.toBe(5);
    await expect(resultOf(booted.queue.enqueue(maths.add.signature(2), 4))).resolves.toBe(6);
    expect(provider.calls).toContain('add(4, 2)');
    await maths.add.signature(7).onSuccess(maths.link.signature()).enqueue(5);
    await provider.linked.opened;
    expect(provider.links).toEqual([12]);
  });

  it('the argument that completes a partial signature is checked as any argument', async () => {
    await expect(resultOf(chain(maths.percent.signature(50), maths.double.signature()).enqueue(8))).resolves.toBe(8);
    for (const partial of [
      maths.percent.signature(50),
      chain(maths.percent.signature(50), maths.double.signature()),
    ] as const) {
      await expect(partial.enqueue(Number.NaN)).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE', path: 'args[0]' });
      await expect(partial.enqueue(-1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENTS' });
      const endless = 'x'.repeat(2 ** 20) as unknown as number;
      await expect(partial.enqueue(endless)).rejects.toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
        message: expect.stringContaining('Maths.percent') as unknown,
      });
    }
    expect(provider.calls).toEqual(['double(4)']);
  });

  it('a signature of one task is enqueued as a producer does, also through the queue', async () => {
    const once = maths.only.signature(1);
    const [first, second] = [await booted.queue.enqueue(once), await once.enqueue()];
    expect(second).toMatchObject({ id: first.id, deduplicated: true });
    provider.gate.open();
    await expect(resultOf(first)).resolves.toBe(1);
    await expect(chain(once, maths.double.signature()).enqueue()).rejects.toThrow(/"Maths\.only" is unique/);
  });

  it('a workflow passes its headers and options on to its members', async () => {
    const whole = group([maths.headers.signature().with({ headers: { own: '1' } }), maths.headers.signature()]);
    await expect(resultOf(whole.with({ headers: { all: '2' } }).enqueue())).resolves.toEqual([
      { own: '1', all: '2' },
      { all: '2' },
    ]);
    await expect(
      resultOf(chain(maths.flaky.signature(1), maths.double.signature().with({ delay: 50 })).enqueue()),
    ).resolves.toBe(2);
  });

  it('a chain fails as a whole when a step fails, and does not run the later steps', async () => {
    const chained = await chain(
      maths.add.signature(1, 1),
      maths.fail.signature('boom').immutable(),
      maths.double.signature(),
    ).enqueue();
    const error: WorkflowFailedError = await resultOf(chained).then(
      () => {
        throw new Error('it succeeded');
      },
      (thrown: WorkflowFailedError) => thrown,
    );
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect(error).toMatchObject({
      code: 'WORKFLOW_FAILED',
      id: chained.id,
      position: 1,
      member: { task: 'Maths.fail' },
      cause: { name: 'Error', message: 'boom', code: 'E_FAIL' },
      message: expect.stringMatching(/Maths\.fail.*boom/) as unknown,
    });
    await expect(chained.status()).resolves.toMatchObject({ state: 'failed', error: { name: 'WorkflowFailedError' } });
    expect(provider.calls).not.toContain('double(4)');
    expect((await chained.children()).map(({ state }) => state)).toEqual(['succeeded', 'failed', 'failed']);
  });

  it('a group whose member fails starts no further member', async () => {
    const values = Array.from({ length: 40 }, (_, index) => index);
    const handle = await group([
      ...values.slice(0, 3).map((value) => maths.held.signature(value)),
      maths.fail.signature('early'),
      ...values.map((value) => maths.held.signature(value)),
    ]).enqueue();
    await expect(resultOf(handle)).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      position: 3,
      cause: { message: 'early' },
    });
    const children = await handle.children();
    await Promise.all(children.map((child) => child.result({ timeout: '10s' }).catch(() => undefined)));
    const states = await Promise.all(children.map(async (child) => (await child.status()).state));
    expect(new Set(states)).toEqual(new Set(['cancelled', 'failed']));
    expect(provider.calls.length).toBeLessThan(20);
  });

  it("a group with onFailure 'collect' returns the failures of its members", async () => {
    const handle = await group(
      [
        maths.add.signature(1, 1),
        maths.fail.signature('one'),
        chain(maths.fail.signature('two'), maths.double.signature()),
      ],
      { onFailure: 'collect' },
    ).enqueue();
    await expect(resultOf(handle)).resolves.toEqual([
      { ok: true, value: 2 },
      { ok: false, error: { name: 'Error', message: 'one', code: 'E_FAIL' } },
      {
        ok: false,
        error: {
          name: 'WorkflowFailedError',
          code: 'WORKFLOW_FAILED',
          message: expect.stringContaining('two') as unknown,
        },
      },
    ]);
    const later = chain(
      maths.add.signature(1, 1),
      group([maths.double.signature(), maths.fail.signature('x').immutable()], { onFailure: 'collect' }),
    );
    await expect(resultOf(later.enqueue())).resolves.toMatchObject([{ ok: true, value: 4 }, { ok: false }]);
  });

  it('a workflow fails when a member is cancelled, expired or removed', async () => {
    const cancelled = await group([maths.held.signature(1), maths.held.signature(2)]).enqueue();
    const [first] = await cancelled.children();
    await first?.cancel('not this one');
    await expect(resultOf(cancelled)).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      position: 0,
      cause: { name: 'TaskCancelledError', message: 'not this one' },
    });
    const expired = chain(
      maths.add.signature(1, 1),
      maths.add.signature(2).with({ expires: 1, delay: 30 }),
      maths.double.signature(),
    );
    await expect(resultOf(expired.enqueue())).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      position: 1,
      cause: { name: 'TaskExpiredError' },
    });
    const removed = await chain(maths.add.signature(1, 1).with({ delay: '1h' }), maths.double.signature()).enqueue();
    const [step] = await removed.children();
    await removeTask(booted, step?.id as string);
    await expect(resultOf(removed)).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      cause: { code: 'TASK_NOT_FOUND' },
    });
  });

  it('cancel() of a workflow aborts its running members and cancels the others', async () => {
    const handle = await chord(
      [maths.held.signature(1), chain(maths.held.signature(2), maths.double.signature())],
      maths.sum.signature(),
    ).enqueue();
    await until(() => provider.calls.length === 2);
    await expect(handle.cancel('enough')).resolves.toMatchObject({ state: 'cancelled', error: { message: 'enough' } });
    await expect(resultOf(handle)).rejects.toMatchObject({ code: 'TASK_CANCELLED', message: 'enough' });
    const [members] = await handle.children();
    const all = (await members?.children()) ?? [];
    await Promise.all(all.map((child) => child.result({ timeout: '10s' }).catch(() => undefined)));
    const states = await Promise.all(all.map(async (child) => (await child.status()).state));
    expect(states).toEqual(['cancelled', 'cancelled']);
    expect(provider.calls).toEqual(expect.not.arrayContaining(['double(2)']));
  });

  it('the progress of a workflow counts its ended members', async () => {
    const handle = await chord(
      [maths.add.signature(1, 1), maths.held.signature(2), maths.add.signature(3, 3)],
      maths.sum.signature(),
    ).enqueue();
    const status = await statusWhen(handle, ({ progress }) => (progress as { current: number } | null)?.current === 2);
    expect(status).toMatchObject({ state: 'waiting', progress: { current: 2, total: 4 } });
    provider.gate.open();
    await expect(resultOf(handle)).resolves.toBe(10);
  });

  it('retry() of a failed workflow runs only its failed members again', async () => {
    const handle = await chord(
      [maths.add.signature(1, 1), maths.fail.signature('broken')],
      maths.sum.signature(),
    ).enqueue();
    await expect(resultOf(handle)).rejects.toMatchObject({ cause: { message: 'broken' } });
    provider.healed = true;
    await handle.retry();
    await expect(resultOf(handle)).resolves.toBe(102);
    expect(provider.calls.filter((call) => call.startsWith('add'))).toHaveLength(1);
  });

  it('retry() of a cancelled workflow runs it to its end', async () => {
    const handle = await chain(
      maths.held.signature(1),
      group([maths.double.signature(), maths.held.signature(5).immutable()]),
      maths.sum.signature(),
    ).enqueue();
    await until(() => provider.calls.length === 1);
    await handle.cancel();
    const [step] = await handle.children();
    await step?.result({ timeout: '10s' }).catch(() => undefined);
    provider.gate.open();
    await handle.retry();
    await expect(resultOf(handle)).resolves.toBe(7);
  });

  it('the links of onSuccess() and onError() run once', async () => {
    await resultOf(
      maths.add.signature(1, 2).onSuccess(maths.link.signature()).onError(maths.link.signature()).enqueue(),
    );
    await provider.linked.opened;
    expect(provider.links).toEqual([3]);
    provider.linked = new Gate();
    const failing = await chain(maths.fail.signature('bad'), maths.double.signature())
      .onSuccess(maths.link.signature())
      .onError(maths.link.signature())
      .enqueue();
    await expect(resultOf(failing)).rejects.toBeInstanceOf(WorkflowFailedError);
    await provider.linked.opened;
    expect(provider.links.slice(1)).toEqual([
      {
        name: 'WorkflowFailedError',
        code: 'WORKFLOW_FAILED',
        message: expect.stringContaining('bad') as unknown,
        id: failing.id,
        task: 'Maths.double',
      },
    ]);
    provider.linked = new Gate();
    await resultOf(
      group([maths.add.signature(1, 1)])
        .onSuccess(chain(maths.sum.signature(), maths.link.signature()))
        .enqueue(),
    );
    await provider.linked.opened;
    expect(provider.links.at(-1)).toBe(2);
  });

  it('replaceWith() replaces a running task by a workflow', async () => {
    const handle = await maths.fan.signature(3).enqueue();
    await expect(resultOf(handle)).resolves.toEqual([0, 2, 4]);
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1, name: 'Maths.fan' });
    expect(provider.calls.filter((call) => call.startsWith('fan'))).toHaveLength(1);
    await expect(
      resultOf(
        chain(maths.range.signature(3), maths.sum.signature(), maths.fan.signature(), maths.sum.signature()).enqueue(),
      ),
    ).resolves.toBe(6);
    const failing = await maths.becomeFailure.signature().enqueue();
    await expect(resultOf(failing)).rejects.toMatchObject({ code: 'WORKFLOW_FAILED', cause: { message: 'replaced' } });
  });

  it('a waiting task takes no place in a worker', async () => {
    const handles = await Promise.all(Array.from({ length: 8 }, (_, index) => maths.fan.signature(index).enqueue()));
    await expect(Promise.all(handles.map((handle) => resultOf(handle)))).resolves.toHaveLength(8);
  });

  it('map() and starmap() run in one task, chunks() in several', async () => {
    const pairs: [number, number][] = Array.from({ length: 7 }, (_, index) => [index, index]);
    await expect(resultOf(maths.double.map([1, 2, 3]).enqueue())).resolves.toEqual([2, 4, 6]);
    await expect(resultOf(maths.add.starmap(pairs.slice(0, 2)).enqueue())).resolves.toEqual([0, 2]);
    const handle = await maths.add.chunks(pairs, 3).enqueue();
    await expect(resultOf(handle)).resolves.toEqual([[0, 2, 4], [6, 8, 10], [12]]);
    await expect(handle.children()).resolves.toHaveLength(3);
    await expect(resultOf(maths.fail.map(['a', 'b']).enqueue())).rejects.toMatchObject({ cause: { message: 'a' } });
    await expect(resultOf(maths.double.map([]).enqueue())).resolves.toEqual([]);
  });
});
