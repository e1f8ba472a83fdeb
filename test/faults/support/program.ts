/**
 * One process of an application. The environment configures it: the journal file in `JOURNAL`, the options of the
 * module in `OPTIONS`, decorated schedules when `SCHEDULED` is set, a task with
 * batches when `BATCHED` is set, and the same task without batches when `SINGLE` is set. With `KILL_BEFORE_TICK`, it kills itself before that
 * command that concerns a tick of the schedule `made`, and with `KILL_BEFORE_END` before that command that names a task whose method has
 * finished here. With `HTTP`, it serves `/tasks/:id`. Its parent calls its methods through messages.
 * The process runs until it is closed, stopped by a signal or killed, or until its parent has ended.
 */
import 'reflect-metadata';
import { ConsoleLogger, Module } from '@nestjs/common';
import { getQueueToken } from '@nestjs/bullmq';
import { NestFactory } from '@nestjs/core';
import type { Queue } from 'bullmq';
import {
  chain,
  type EnqueueOptions,
  TaskNotFoundError,
  TaskQueue,
  TaskQueueModule,
  TaskSchedules,
  type ScheduleStatus,
  type Signature,
  type TaskQueueOptions,
} from 'nestjs-task-queue';
import { SHAPE_LISTENER, ShapeTasks, signatureOf } from '../../support/shape-tasks.js';
import type { Shape } from '../../support/workflow-shapes.js';
import { BatchWork } from './batch-work.js';
import { finishedHere } from './journal.js';
import { SHAPE_JOURNAL } from './shape-journal.js';
import { SingleWork } from './single-work.js';
import { TimedWork } from './timed-work.js';
import { Work } from './work.js';

const { KILL_BEFORE_END, KILL_BEFORE_TICK } = process.env;
// The task of a tick has the schedule in its headers, and the schedule has the tick in its record.
if (KILL_BEFORE_TICK) {
  // Loaded only here: it needs the packages of both databases.
  const { killBeforeCommand } = await import('./kill-before-command.js');
  killBeforeCommand(Number(KILL_BEFORE_TICK), (parts) =>
    parts.some((part) => part.includes('"schedule":"made"') || part.includes('"tick":') || part.endsWith(':made')),
  );
}

if (KILL_BEFORE_END) {
  const { killBeforeCommand } = await import('./kill-before-command.js');
  killBeforeCommand(Number(KILL_BEFORE_END), (parts) =>
    [...finishedHere].some((id) => parts.some((part) => part.includes(id))),
  );
}

@Module({
  imports: [TaskQueueModule.forRoot(JSON.parse(process.env['OPTIONS'] as string) as TaskQueueOptions)],
  providers: [
    ...[Work, ShapeTasks, { provide: SHAPE_LISTENER, useValue: SHAPE_JOURNAL }],
    ...(process.env['SCHEDULED'] ? [TimedWork] : []),
    ...(process.env['BATCHED'] ? [BatchWork] : []),
    ...(process.env['SINGLE'] ? [SingleWork] : []),
  ],
})
class App {}

const nestOptions = { logger: new ConsoleLogger({ colors: false }) };
const server = process.env['HTTP'] ? await NestFactory.create(App, nestOptions) : undefined;
await server?.listen(0, '127.0.0.1');
const app = server ?? (await NestFactory.createApplicationContext(App, nestOptions));
app.enableShutdownHooks();
const queue = app.get(TaskQueue);
const schedules = app.get(TaskSchedules);

const native = () => app.get<Queue>(getQueueToken('default'));

/** The methods that the parent can call. */
const methods = {
  /** Enqueues a task. Returns its id or the error, and the milliseconds that the call took. */
  async enqueue(task: string, args: unknown[]): Promise<{ id?: string; error?: Described; took: number }> {
    const start = Date.now();
    try {
      const { id } = await queue.of(`Work.${task}`).enqueue(...args);
      return { id, took: Date.now() - start };
    } catch (error) {
      return { ...described(error), took: Date.now() - start };
    }
  },
  /** Enqueues many tasks in parallel, as many requests do. Returns the ids of the tasks that were stored. */
  async enqueueMany(task: string, args: unknown[], times: number): Promise<string[]> {
    const enqueue = () => queue.of(`Work.${task}`).enqueue(...args);
    const handles = await Promise.allSettled(Array.from({ length: times }, enqueue));
    return handles.flatMap((handle) => (handle.status === 'fulfilled' ? [handle.value.id] : []));
  },
  /** Enqueues a task with options of its own. Returns its id. */
  async enqueueWith(options: EnqueueOptions, task: string, args: unknown[]): Promise<string> {
    return (
      await queue
        .of(`Work.${task}`)
        .with(options)
        .enqueue(...args)
    ).id;
  },
  /** Enqueues a task with an `onError` that writes the tag into the journal. Returns its id. */
  async enqueueWithOnError(task: string, tag: string, args: unknown[] = []): Promise<string> {
    const onError = queue.of(ShapeTasks).failed.signature(tag);
    return (
      await queue
        .of(`Work.${task}`)
        .signature(...args)
        .onError(onError)
        .enqueue()
    ).id;
  },
  async result(id: string, timeout?: number): Promise<{ result?: unknown; error?: Described }> {
    try {
      return { result: await queue.handle(id).result(timeout === undefined ? {} : { timeout }) };
    } catch (error) {
      return described(error);
    }
  },
  async status(id: string) {
    return await queue.handle(id).status();
  },
  /** Enqueues a workflow that begins with 2. Its last step writes its end into the journal. */
  async enqueueShape(shape: Shape): Promise<string> {
    const shapes = queue.of(ShapeTasks);
    const whole = chain(
      shapes.give.signature(2),
      signatureOf(shape, shapes) as Signature<unknown, unknown>,
      shapes.end.signature(),
    );
    return (await whole.enqueue()).id;
  },
  /** The ids of the tasks that workers run. */
  async running(): Promise<string[]> {
    return (await native().getActive()).map(({ id = '' }) => id);
  },
  /** The number of jobs that are not final. */
  async unfinished(): Promise<number> {
    const counts = await native().getJobCounts('wait', 'prioritized', 'delayed', 'active', 'waiting-children');
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  },
  /** Whether a task has ended. Its result may be gone already. */
  async isFinal(id: string): Promise<boolean> {
    try {
      return (await queue.handle(id).status()).finishedAt !== null;
    } catch (error) {
      if (error instanceof TaskNotFoundError) return true;
      throw error;
    }
  },
  /** Sets a schedule of `TimedWork.tick`. */
  async schedule(id: string, { every, args = [], ...settings }: TimedSettings): Promise<ScheduleStatus> {
    return await schedules.upsert(id, { task: 'TimedWork.tick', every, args, ...settings });
  },
  async scheduleStatus(id: string): Promise<ScheduleStatus | undefined> {
    return await schedules.get(id);
  },
  async pauseAndResume(id: string): Promise<void> {
    await schedules.pause(id);
    await schedules.resume(id);
  },
  /** Sets the clock of this process, see shifted-clock.js. */
  async putClockAhead(milliseconds: number): Promise<void> {
    (globalThis as { putClockAhead?: (milliseconds: number) => void }).putClockAhead?.(milliseconds);
  },
  /** The port of `/tasks/:id`. */
  async port(): Promise<number> {
    return Number(new URL((await server?.getUrl()) ?? '').port);
  },
  /** The main file of the package that this process uses. */
  async packageFile(): Promise<string> {
    return import.meta.resolve('nestjs-task-queue');
  },
  async close() {
    await app.close();
    await app.close();
    // The channel to the parent is the last handle. The process must now exit by itself.
    process.disconnect();
  },
  /** Bytes in use after a garbage collection, and the number of handles that keep the event loop alive. */
  async usage() {
    for (let round = 0; round < 3; round++) globalThis.gc?.();
    return { heap: process.memoryUsage().heapUsed, open: process.getActiveResourcesInfo().length };
  },
};
export type Methods = typeof methods;

process.on('message', ({ call, method, args }: { call: number; method: keyof Methods; args: never[] }) => {
  const ask = methods[method] as (...args: never[]) => Promise<unknown>;
  const answer = (message: object) => process.connected && process.send?.({ call, ...message });
  ask(...args).then(
    (value) => answer({ value }),
    (error: Error) => answer({ error: `${error.name}: ${error.message}` }),
  );
});
// When the parent has ended, no process would stop this one.
process.once('disconnect', () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), 30_000).unref());
process.send?.({ ready: true });

interface TimedSettings {
  every: number;
  args?: unknown[];
  overlap?: 'skip' | 'allow';
  catchUp?: 'none' | 'one';
}

interface Described {
  name: string;
  message: string;
  code: string | undefined;
}

function described(error: unknown): { error: Described } {
  const { name, message, code } = error as Error & { code?: string };
  return { error: { name, message, code } };
}
