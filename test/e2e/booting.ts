import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskAdmin, TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { LogLines } from '../support/log-lines.js';
import { freePrefix } from '../support/servers.js';

@Injectable()
export class Adder {
  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }
}

/** Boots an application with one task, and collects its log lines. */
export async function bootAdder(options: TaskQueueOptions) {
  @Module({ imports: [TaskQueueModule.forRoot({ prefix: freePrefix(), ...options })], providers: [Adder] })
  class App {}
  const logger = new LogLines();
  const app = await NestFactory.createApplicationContext(App, { logger, abortOnError: false });
  const add = app.get(TaskQueue).of(Adder).add;
  return {
    app,
    add,
    lines: logger.lines,
    /** Enqueues a task, and checks its result and its place in the lists. */
    async works(): Promise<boolean> {
      const handle = await add.enqueue(1, 2);
      const result = await handle.result({ timeout: '10s' });
      const admin = app.get(TaskAdmin);
      const { items } = await admin.tasks({ state: 'succeeded' });
      const queues = await admin.queues();
      // Other replicas may have run tasks meanwhile.
      const isListed = items.some(({ id }) => id === handle.id);
      return result === 3 && isListed && (queues[0]?.counts.succeeded ?? 0) > 0;
    },
  };
}

/** Boots an application, runs a task in it and closes it. */
export async function bootsAndWorks(options: TaskQueueOptions): Promise<boolean> {
  const { app, works } = await bootAdder(options);
  try {
    return await works();
  } finally {
    await app.close();
  }
}

/** The error with which the boot fails. */
export async function bootError(options: TaskQueueOptions): Promise<Error & { code?: string }> {
  try {
    const { app } = await bootAdder(options);
    await app.close();
  } catch (error) {
    return error as Error;
  }
  throw new Error('The application booted.');
}
