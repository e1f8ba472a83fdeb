/**
 * Ends tasks whose listeners throw on signals that come from the task's own, and prints as JSON how the tasks ended and what was logged.
 * A process of its own, because under Jest an uncaught exception ends the test.
 */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskContext, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { LogLines } from '../support/log-lines.js';
import { until } from '../support/until.js';

const [connection = '', prefix = ''] = process.argv.slice(2);

@Injectable()
class Work {
  running = 0;

  constructor(private readonly task: TaskContext) {}

  @Task()
  async any(): Promise<void> {
    AbortSignal.any([this.task.signal, AbortSignal.timeout(60_000)]).addEventListener('abort', () => {
      throw new Error('from any');
    });
    await this.untilAborted();
  }

  @Task()
  async controller(): Promise<void> {
    const own = new AbortController();
    this.task.signal.addEventListener('abort', () => own.abort());
    AbortSignal.any([own.signal]).addEventListener('abort', () => {
      throw new Error('from controller');
    });
    await this.untilAborted();
  }

  @Task()
  async tick(): Promise<void> {
    AbortSignal.any([this.task.signal]).addEventListener('abort', () =>
      process.nextTick(() => {
        throw new Error('from tick');
      }),
    );
    await this.untilAborted();
  }

  @Task({ timeout: 300 })
  async late(): Promise<void> {
    AbortSignal.any([this.task.signal]).addEventListener('abort', () => {
      throw new Error('from late');
    });
    await this.untilAborted();
  }

  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }

  private async untilAborted(): Promise<void> {
    const { signal } = this.task;
    this.running++;
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  }
}

@Module({ imports: [TaskQueueModule.forRoot({ connection, prefix })], providers: [Work] })
class App {}

const log = new LogLines();
const app = await NestFactory.createApplicationContext(App, { logger: log, abortOnError: false });
const work = app.get(TaskQueue).of(Work);
const handles = [
  await work.any.enqueue(),
  await work.controller.enqueue(),
  await work.tick.enqueue(),
  await work.late.enqueue(),
];
await until(() => app.get(Work).running === handles.length, 'all tasks run');
for (const handle of handles.slice(0, -1)) await handle.cancel('enough');
const ends = await Promise.all(
  handles.map(async (handle) => {
    await handle.result({ timeout: '20s' }).catch(() => undefined);
    return (await handle.status()).state;
  }),
);
// The worker goes on.
const sum = await (await work.add.enqueue(1, 2)).result({ timeout: '20s' });
await app.close();
console.log(JSON.stringify({ ends, sum, lines: log.lines.filter((line) => line.startsWith('ERROR')) }));
