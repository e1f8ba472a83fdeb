import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { LogLines } from '../support/log-lines.js';
import { freePrefix } from '../support/servers.js';

@Injectable()
export class Adder {
  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }
}

/** An application with one task, and what it logged. */
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
    /** Enqueues a task and sees it run. */
    works: async () => (await (await add.enqueue(1, 2)).result({ timeout: '10s' })) === 3,
  };
}

/** Boots, sees a task run, and closes. */
export async function bootsAndWorks(options: TaskQueueOptions): Promise<boolean> {
  const { app, works } = await bootAdder(options);
  try {
    return await works();
  } finally {
    await app.close();
  }
}

/** The error that booting ends with. */
export async function bootError(options: TaskQueueOptions): Promise<Error & { code?: string }> {
  try {
    const { app } = await bootAdder(options);
    await app.close();
  } catch (error) {
    return error as Error;
  }
  throw new Error('It booted.');
}
