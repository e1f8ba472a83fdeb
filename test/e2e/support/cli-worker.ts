/** An application that runs tasks until it is stopped or killed. `TASK_QUEUE_URL` and `TASK_QUEUE_PREFIX` name its store. */
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskContext, TaskProcessor, TaskQueueModule } from 'nestjs-task-queue';

@TaskProcessor({ queue: 'reports' })
class ReportTasks {
  constructor(private readonly task: TaskContext) {}

  @Task('ReportTasks.build')
  async build(month: string): Promise<string> {
    await this.task.log(`builds ${month}`);
    return `${month}.pdf`;
  }

  @Task('ReportTasks.talk')
  async talk(): Promise<void> {
    for (let line = 1; !this.task.signal.aborted; line++) {
      await this.task.log(`line ${line}`);
      await sleep(50);
    }
  }
}
Reflect.defineMetadata('design:paramtypes', [TaskContext], ReportTasks);

@Module({ imports: [TaskQueueModule.forRoot({ http: false })], providers: [ReportTasks] })
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: false });
app.enableShutdownHooks();
// Nest's context alone does not keep the process alive on every engine.
setInterval(() => undefined, 60_000);
process.stdout.write('ready\n');
