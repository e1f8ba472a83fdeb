import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, group, Task, TaskContext, TaskQueue, type TaskBatch, type TaskHandle } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { THROWN } from '../support/hostile-values.js';

/** What a method passes to `TaskContext.replaceWith()`, which the types forbid. */
const NO_SIGNATURES: Readonly<Record<string, (queue: TaskQueue) => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  'a text': () => 'Work.fine',
  'an object': () => ({}),
  'a producer': (queue) => queue.of('Work.fine'),
  'a handle': (queue) => queue.handle('default.abc'),
  'a value whose text cannot be read': () => ({
    toString: () => {
      throw new Error('no text');
    },
  }),
};

@Injectable()
class Work {
  static runs = 0;

  constructor(
    private readonly task: TaskContext,
    private readonly queue: TaskQueue,
  ) {}

  @Task()
  async fine(n: number): Promise<number> {
    return n;
  }

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async fail(what: string): Promise<void> {
    Work.runs++;
    this.task.fail(THROWN[what]![0]() as string);
  }

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async replace(what: string): Promise<number> {
    Work.runs++;
    return this.task.replaceWith(NO_SIGNATURES[what]!(this.queue) as never);
  }

  @Task({ queue: 'rows', batch: { size: 50, wait: '50ms' }, retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async inBatch(calls: TaskBatch<[string]>): Promise<string[]> {
    for (const call of calls) {
      const [what] = call.args;
      if (what in THROWN) call.fail(THROWN[what]![0]());
      // The first decision stays.
      if (what in THROWN) call.retry({ in: 1 });
    }
    return calls.map(({ args: [what] }) => what);
  }
}

describeEachEngine('a method that decides how its task ends', (engine) => {
  let booted: Booted;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s' }, [Work]);
  }, 60_000);
  beforeEach(() => void (Work.runs = 0));
  afterAll(() => booted.app.close());

  const failureOf = async (handle: TaskHandle) => {
    await handle.result({ timeout: '20s' }).catch(() => undefined);
    const { state, attempt, error } = await handle.status();
    return { state, attempt, message: error?.message };
  };

  it('by fail() with anything fails at once with what that says', async () => {
    // Of a text that was given on purpose, nothing is made but the message.
    const whats = Object.keys(THROWN).filter((what) => what !== 'an empty text');
    const handles = await booted.queue.of(Work).fail.enqueueMany(whats.map((what) => [what]));
    expect(await Promise.all(handles.map(failureOf))).toEqual(
      whats.map((what) => ({
        state: 'failed',
        attempt: 1,
        message: expect.stringMatching(THROWN[what]![1]) as unknown,
      })),
    );
    expect(Work.runs).toBe(whats.length);
  }, 60_000);

  it('by replaceWith() something that is no signature fails at once, and says so', async () => {
    const whats = Object.keys(NO_SIGNATURES);
    const handles = await booted.queue.of(Work).replace.enqueueMany(whats.map((what) => [what]));
    const message = expect.stringContaining('replaceWith() takes a signature') as unknown;
    expect(await Promise.all(handles.map(failureOf))).toEqual(
      whats.map(() => ({ state: 'failed', attempt: 1, message })),
    );
  }, 60_000);

  it('as a member of a workflow makes the whole fail, with its own failure', async () => {
    const { fail, replace, fine } = booted.queue.of(Work);
    const wholes = [
      await group([fine.signature(1), fail.signature('an error whose message throws')]).enqueue(),
      await chain(fine.signature(1), replace.signature('an object').immutable(), fine.signature()).enqueue(),
    ];
    for (const whole of wholes)
      await expect(whole.result({ timeout: '20s' })).rejects.toMatchObject({ code: 'WORKFLOW_FAILED' });
  }, 60_000);

  it('of one call in a batch concerns no other, and the first decision stays', async () => {
    const whats = Object.keys(THROWN).filter((what) => what !== 'an empty text');
    const handles = await booted.queue.of(Work).inBatch.enqueueMany(whats.flatMap((what) => [['good'], [what]]));
    const ends = await Promise.all(handles.map(failureOf));
    expect(ends.filter(({ state }) => state === 'succeeded')).toHaveLength(whats.length);
    expect(ends.filter(({ state }) => state === 'failed')).toEqual(
      whats.map((what) => ({
        state: 'failed',
        attempt: 1,
        message: expect.stringMatching(THROWN[what]![1]) as unknown,
      })),
    );
  }, 60_000);
});
