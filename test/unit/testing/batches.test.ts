import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Task, TaskQueue, TaskQueueModule, type TaskBatch } from 'nestjs-task-queue';
import { TaskTesting, type TaskTestingMode } from 'nestjs-task-queue/testing';

@Injectable()
class Rows {
  readonly runs: number[][] = [];

  @Task({ queue: 'rows', batch: { size: 3, wait: '1m' }, retries: 1 })
  async store(calls: TaskBatch<[number]>): Promise<number[]> {
    const values = calls.map(({ args: [value] }) => value);
    this.runs.push(values);
    return values.map((value) => value * 10);
  }
}

let moduleRef: TestingModule | undefined;
afterEach(() => moduleRef?.close());

async function start(mode: TaskTestingMode) {
  const builder = Test.createTestingModule({ imports: [TaskQueueModule.forRoot()], providers: [Rows] });
  moduleRef = await TaskTesting.configure(builder, { mode }).compile();
  await moduleRef.init();
  return {
    tasks: moduleRef.get(TaskTesting),
    rows: moduleRef.get(TaskQueue).of(Rows),
    runs: moduleRef.get(Rows).runs,
  };
}

it('drain() puts the calls that are due into batches, and waits for no others', async () => {
  const { tasks, rows, runs } = await start('manual');
  const handles = await rows.store.enqueueMany([[1], [2], [3], [4]]);
  await tasks.drain();
  expect(runs).toEqual([[1, 2, 3], [4]]);
  expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([10, 20, 30, 40]);
});

it('run() gives the method a batch of one call', async () => {
  const { tasks, runs } = await start('manual');
  expect(await tasks.run(Rows, 'store', 5)).toMatchObject({ outcome: 'succeeded', result: 50 });
  expect(runs).toEqual([[5]]);
});

it('a call runs while it is enqueued in the mode inline', async () => {
  const { rows, runs } = await start('inline');
  expect(await (await rows.store.enqueue(1)).result()).toBe(10);
  expect(runs).toEqual([[1]]);
});

it('a planned failure concerns the batch, and its calls are retried alone', async () => {
  const { tasks, rows, runs } = await start('manual');
  tasks.failNext(Rows, 'store', new Error('the database is away'));
  const handles = await rows.store.enqueueMany([[1], [2]]);
  await tasks.drain();
  expect(runs).toEqual([]);
  await tasks.advance('1h');
  await tasks.drain();
  expect(new Set(runs.flat())).toEqual(new Set([1, 2]));
  expect(runs).toHaveLength(2);
  expect(await handles[0]?.result()).toBe(10);
});
