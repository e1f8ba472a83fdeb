/**
 * A worker on the place of the environment variable `PLACE`. Its task sends `started` and ends when the parent sends a message. With
 * `HOOKS`, the application listens for SIGTERM.
 */
import 'reflect-metadata';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';

class Slow implements OnApplicationShutdown {
  @Task('Slow.wait')
  async wait(): Promise<string> {
    process.send?.('started');
    await new Promise((resolve) => process.once('message', resolve));
    return 'ended there';
  }

  onApplicationShutdown(signal?: string): void {
    process.send?.(`hook ${signal}`);
  }
}

@Module({
  imports: [TaskQueueModule.forRoot(JSON.parse(process.env['PLACE'] ?? '{}') as TaskQueueOptions)],
  providers: [Slow],
})
class App {}

const app = await NestFactory.createApplicationContext(App);
if (process.env['HOOKS']) app.enableShutdownHooks();
process.send?.('ready');
