import { Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { TaskWorkers } from './task-workers.js';

/**
 * Starts the workers when everything else is ready, and stops them before anything else closes.
 *
 * Nest calls the hooks of modules by their distance from the root module: from far to near on the way up, from near to
 * far on the way down. Nearer than the root itself is the place for what uses everybody else's providers: a task finds
 * its database open, in whichever shutdown hook that closes.
 */
@Module({})
export class TaskWorkersModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    modules: ModulesContainer,
    private readonly workers: TaskWorkers,
  ) {
    for (const module of modules.values()) {
      if (module.metatype === TaskWorkersModule) module.distance = -1;
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.workers.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.workers.stop();
  }
}
