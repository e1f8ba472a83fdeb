/** Runs one task, then prints the fast paths of V8 that this process has lost. Needs `--allow-natives-syntax`. */
import 'reflect-metadata';
import { runInThisContext } from 'node:vm';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';

class Maths {
  @Task('Maths.double')
  async double(value: number): Promise<number> {
    return value * 2;
  }
}

const options = JSON.parse(process.env.OPTIONS ?? '{}') as TaskQueueOptions;

@Module({ imports: [TaskQueueModule.forRoot(options)], providers: [Maths] })
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: false });
await (await app.get(TaskQueue).of(Maths).double.enqueue(21)).result();
await app.close();

const fastPaths = ['ArrayIterator', 'ArraySpecies', 'MapIterator', 'SetIterator', 'StringIterator', 'PromiseSpecies'];
const isIntact = (name: string): boolean => runInThisContext(`%${name}Protector()`) as boolean;
process.stdout.write(JSON.stringify(fastPaths.filter((name) => !isIntact(name))));
