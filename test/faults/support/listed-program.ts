/** A worker process with the module's options in `OPTIONS`. With `FAIL`, its task fails. It sends its process id once it has started. */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';

@Injectable()
class Work {
  @Task({ queue: 'listed' })
  run(): void {
    if (process.env['FAIL']) throw new Error('The shop is closed.');
  }
}

@Module({
  imports: [TaskQueueModule.forRoot(JSON.parse(process.env['OPTIONS'] as string) as TaskQueueOptions)],
  providers: [Work],
})
class App {}

await NestFactory.createApplicationContext(App, { logger: false });
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.send?.(process.pid);
