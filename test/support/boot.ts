import type { INestApplicationContext, LoggerService, ModuleMetadata, Provider } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';

export interface Booted {
  readonly app: INestApplicationContext;
  readonly queue: TaskQueue;
}

/**
 * Starts an application without HTTP, with these options, providers and modules. By default it logs nothing, because the
 * tests make it fail on purpose.
 */
export async function boot(
  options: TaskQueueOptions,
  providers: Provider[] = [],
  logger: LoggerService | false = false,
  imports: ModuleMetadata['imports'] = [],
): Promise<Booted> {
  @Module({ imports: [TaskQueueModule.forRoot(options), ...imports], providers })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger, abortOnError: false });
  return { app, queue: app.get(TaskQueue) };
}

/** A promise and what settles it, for tests that hold a task until they have looked at it. */
export class Gate {
  readonly opened: Promise<void>;
  open!: () => void;

  constructor() {
    this.opened = new Promise((resolve) => (this.open = resolve));
  }
}
