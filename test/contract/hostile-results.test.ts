import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, type TaskProducer, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { REFUSED, STORED } from '../support/hostile-values.js';

@Injectable()
class Work {
  static runs = 0;

  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async give(what: string): Promise<unknown> {
    Work.runs++;
    return (STORED[what] ?? REFUSED[what]!)[0]();
  }

  @Task()
  async report(what: string): Promise<string> {
    try {
      await this.task.progress(REFUSED[what]![0]() as never);
      return 'stored';
    } catch (error) {
      return (error as Error).message;
    }
  }

  @Task()
  async echo(value: unknown): Promise<unknown> {
    return value;
  }
}

describeEachEngine('a task that returns', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let give: TaskProducer<(what: string) => Promise<unknown>>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s', enqueueTimeout: '20s' }, [Work]);
    work = booted.queue.of(Work);
    // Its results may be anything, which its type would not allow.
    give = booted.queue.of('Work.give');
  }, 60_000);
  afterAll(() => booted.app.close());

  it('what JSON can represent succeeds with it', async () => {
    const handles = await give.enqueueMany(Object.keys(STORED).map((what) => [what] as const));
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '60s' })));
    expect(results).toEqual(Object.values(STORED).map(([, result]) => result));
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  }, 90_000);

  it('what no store can keep fails after one run, and says where it is', async () => {
    Work.runs = 0;
    const handles = await give.enqueueMany(Object.keys(REFUSED).map((what) => [what] as const));
    const ends = await Promise.all(
      handles.map((handle) => handle.result({ timeout: '60s' }).catch((error: { cause: unknown }) => error.cause)),
    );
    expect(ends).toEqual(
      Object.values(REFUSED).map(([, says]) =>
        expect.objectContaining({ message: expect.stringMatching(says) as unknown }),
      ),
    );
    expect(Work.runs).toBe(handles.length);
  }, 90_000);

  it('is refused as progress and as an argument too, and the task goes on', async () => {
    const handles = await work.report.enqueueMany(Object.keys(REFUSED).map((what) => [what] as const));
    const reported = await Promise.all(handles.map((handle) => handle.result({ timeout: '60s' })));
    for (const [index, [what, [make, says]]] of Object.entries(REFUSED).entries()) {
      const named = (path: string) => new RegExp(says.source.replaceAll('result', path), says.flags);
      expect(reported[index]).toMatch(named('progress'));
      const sent = booted.queue.of('Work.echo').enqueue(make());
      await expect(sent).rejects.toThrow(what.startsWith('a text of') ? /bytes/ : named(String.raw`args\[0\]`));
    }
  }, 90_000);
});
