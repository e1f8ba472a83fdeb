import { Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { TaskWorkers } from './task-workers.js';

/**
 * Starts the workers after all other modules are ready, and stops them before any other module closes. So a task finds
 * its database open, in whatever shutdown hook the application closes it.
 *
 * Nest calls the hooks of modules by their distance from the root module: at the start the far modules come first, at
 * the end the near ones. By itself, Nest gives the root module the smallest distance. This module sets its own
 * distance to -1, nearer than the root module, because tasks use the providers of all modules.
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
