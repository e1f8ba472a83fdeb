/** Runs one task on the engine in memory and prints its result. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';

class Maths {
  @Task('Maths.double')
  async double(value: number): Promise<number> {
    return value * 2;
  }
}

@Module({ imports: [TaskQueueModule.forRoot({ connection: 'memory:' })], providers: [Maths] })
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: false });
const handle = await app.get(TaskQueue).of(Maths).double.enqueue(21);
process.stdout.write(String(await handle.result()));
await app.close();
