import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, group, InvalidArgumentsError, Task, TaskAdmin, TaskNotFoundError, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  @Task({ queue: 'work' })
  add(...numbers: unknown[]): number {
    return numbers.flat(Infinity).reduce<number>((sum, number) => sum + Number(number), 0);
  }

  @Task({ queue: 'other' })
  plain(): void {}

  @Task({ queue: 'other' })
  fail(): void {
    throw new Error('no');
  }
}

describeEachEngine('TaskAdmin and workflows', (engine) => {
  let booted: Booted;
  let admin: TaskAdmin;
  let work: Tasks<Work>;
  let id: string;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Work]);
    admin = booted.app.get(TaskAdmin);
    work = booted.queue.of(Work);
    const handle = await booted.queue.enqueue(
      chain(
        work.add.signature(1),
        group([work.add.signature(2), work.add.signature(3)]),
        work.add.signature(),
      ) as never,
    );
    id = handle.id;
    await handle.result();
    await (await work.plain.enqueue()).result();
    await (await work.fail.enqueue()).result().catch(() => undefined);
  });
  afterAll(() => booted.app.close());

  it('workflow() gives the tasks in their order, from any task of the workflow', async () => {
    const graph = await admin.workflow(id);
    expect(graph).toMatchObject({ id, complete: true });
    const places = new Map(graph.tasks.map((task, place) => [task.id, place]));
    for (const { after, id: own } of graph.tasks)
      for (const before of after) expect(places.get(before)).toBeLessThan(places.get(own) as number);
    const own = graph.tasks.filter(({ kind }) => kind === 'task');
    expect(own.map(({ status }) => [status?.name, status?.state])).toEqual(
      Array.from({ length: 4 }, () => ['Work.add', 'succeeded']),
    );
    const [first] = graph.tasks;
    expect(first?.after).toEqual([]);
    // The two tasks of the group start after the first step, and the last step after both.
    expect(own.filter(({ after }) => after.length === 1 && after[0] === first?.id)).toHaveLength(2);
    expect(await admin.workflow(first?.id ?? '')).toEqual(graph);
  });

  it('workflow() reads a bounded number of tasks, and a task alone is a workflow of one', async () => {
    expect(await admin.workflow(id, { limit: 2 })).toMatchObject({ complete: false, tasks: [{}, {}] });
    const [plain] = (await admin.tasks({ name: 'Work.plain' })).items;
    expect(await admin.workflow(plain?.id ?? '')).toMatchObject({
      complete: true,
      tasks: [{ after: [], kind: 'task' }],
    });
    await expect(admin.workflow('work.unknown')).rejects.toThrow(TaskNotFoundError);
    await expect(admin.workflow(id, { limit: 0 })).rejects.toThrow(InvalidArgumentsError);
  });

  it('the condition workflow finds whole workflows only', async () => {
    expect((await admin.tasks({ workflow: true })).items.map((task) => task.id)).toEqual([id]);
    await expect(admin.tasks({ workflow: false as never })).rejects.toThrow('filter.workflow');
  });

  it('statsBy() gives the figures of each name and of each queue', async () => {
    const attempts = async () => {
      const names = await admin.statsBy('name');
      return Object.fromEntries(
        names.map(({ queue, name, total }) => [`${queue} ${name}`, total.succeeded + total.failed]),
      );
    };
    const expected = { 'work Work.add': 4, 'other Work.plain': 1, 'other Work.fail': 1 };
    await until(async () => (await attempts())['work Work.add'] === 4, 'all tasks are counted');
    await until(async () => (await attempts())['other Work.fail'] === 1, 'the failure is counted');
    expect(await attempts()).toMatchObject(expected);
    const queues = await admin.statsBy('queue', { step: '1m' });
    const other = queues.find(({ queue }) => queue === 'other');
    expect(other).toMatchObject({
      name: null,
      total: { failed: 1, succeeded: 1, run: { p50: expect.any(Number) as never } },
    });
    expect(other?.points.reduce((sum, { failed }) => sum + failed, 0)).toBe(1);
    expect(other?.points).toHaveLength((await admin.stats({ step: '1m' })).length);
    expect(queues.every(({ queue }) => !queue.startsWith('_'))).toBe(true);
    expect(await admin.statsBy('name', { limit: 1 })).toMatchObject([{ name: 'Work.add' }]);
    await expect(admin.statsBy('task' as never)).rejects.toThrow(InvalidArgumentsError);
    await expect(admin.statsBy('name', { limit: 0 })).rejects.toThrow(InvalidArgumentsError);
  });

  it('a workflow that failed while its queue is paused is among the failed ones', async () => {
    await admin.pause('work');
    const whole = await chain(work.fail.signature(), work.add.signature() as never).enqueue();
    await expect(whole.result({ timeout: '10s' })).rejects.toThrow('no');
    const failed = await admin.tasks({ workflow: true, state: 'failed' });
    expect(failed.items.map((task) => task.id)).toContain(whole.id);
    await admin.resume('work');
  });

  it('workflow() shows the workflows inside of a workflow as parts of it', async () => {
    const inner = chain(work.add.signature(3), group([work.add.signature(4), work.add.signature(5)]));
    const whole = await booted.queue.enqueue(
      chain(
        group([chain(work.add.signature(1), work.add.signature(2)), inner]) as never,
        work.add.signature() as never,
      ) as never,
    );
    await whole.result();
    const graph = await admin.workflow(whole.id);
    const own = graph.tasks.filter(({ kind }) => kind === 'task');
    expect(own.map(({ status }) => [status?.name, status?.state])).toEqual(
      Array.from({ length: 6 }, () => ['Work.add', 'succeeded']),
    );
    const after = new Map(graph.tasks.map((task) => [task.id, task.after]));
    const isBefore = (one: string, other: string): boolean =>
      (after.get(other) ?? []).some((before) => before === one || isBefore(one, before));
    // Every task leads to the last one, and the two first ones of the inner chains wait for nothing.
    expect(own.filter((task) => task.id !== whole.id).every((task) => isBefore(task.id, whole.id))).toBe(true);
    expect(own.filter((task) => task.after.length === 0)).toHaveLength(2);
    expect(graph.complete).toBe(true);
  });
});
