import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable, UseGuards, type CanActivate } from '@nestjs/common';
import { Task, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { THROWN } from '../support/hostile-values.js';

/** A call of a batch in which all others fail. */
const GOOD = 'good';

class Anyone implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class Work {
  static runs = 0;

  @Task()
  async bare(what: string): Promise<void> {
    throw THROWN[what]![0]();
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 1 } })
  @UseGuards(Anyone)
  async enhanced(what: string): Promise<void> {
    Work.runs++;
    throw THROWN[what]![0]();
  }

  @Task({ queue: 'rows', batch: { size: 100, wait: '50ms' } })
  async inBatch(calls: TaskBatch<[string]>): Promise<string[]> {
    for (const call of calls) if (call.args[0] !== GOOD) call.fail(THROWN[call.args[0]]![0]());
    return calls.map(() => GOOD);
  }
}

describeEachEngine('a task that throws', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s', enqueueTimeout: '30s' }, [Work]);
    work = booted.queue.of(Work);
  }, 60_000);
  beforeEach(() => void (Work.runs = 0));
  afterAll(() => booted.app.close());

  it('anything fails with what it says, after the runs of its declaration, with and without enhancers', async () => {
    const values = Object.keys(THROWN);
    const bare = await work.bare.enqueueMany(values.map((what) => [what]));
    const enhanced = await work.enhanced.enqueueMany(values.map((what) => [what]));
    const ends = await Promise.all(
      [...bare, ...enhanced].map(async (handle) => {
        const code = await handle.result({ timeout: '60s' }).catch((error: { code: string }) => error.code);
        const { state, error } = await handle.status();
        return { code, state, message: error?.message };
      }),
    );
    const expected = Object.values(THROWN).map(([, says]) => ({
      code: 'TASK_FAILED',
      state: 'failed',
      message: expect.stringMatching(says) as unknown,
    }));
    expect(ends).toEqual([...expected, ...expected]);
    expect(Work.runs).toBe(2 * values.length);
  }, 90_000);

  it('anything for one call of a batch fails that call, and no other one', async () => {
    // Of a text that was given on purpose, nothing is made but the message.
    const values = Object.keys(THROWN).filter((what) => what !== 'an empty text');
    const handles = await work.inBatch.enqueueMany([...values, GOOD].map((what) => [what]));
    const ends = await Promise.all(
      handles.map(async (handle) => {
        await handle.result({ timeout: '60s' }).catch(() => undefined);
        const { state, error } = await handle.status();
        return state === 'failed' ? error?.message : state;
      }),
    );
    const expected = values.map((what) => expect.stringMatching(THROWN[what]![1]) as unknown);
    expect(ends).toEqual([...expected, 'succeeded']);
  }, 90_000);
});
