/**
 * An application with many methods: `boot-app.js [<connection> <prefix>]`. With a connection the methods are tasks. The
 * file is JavaScript, as built applications are, because a loader that compiles TypeScript adds time for every file.
 */
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const QUEUES = 20;
const METHODS_OF_EACH = 10;
const [connection, prefix] = process.argv.slice(2);

/** @type {import('@nestjs/common').ModuleMetadata['imports']} */
const imports = [];
/** @type {(queue: string) => MethodDecorator} */
let decoratorOf = () => () => undefined;
if (connection !== undefined) {
  const { Task, TaskQueueModule } = await import('nestjs-task-queue');
  imports.push(TaskQueueModule.forRoot({ connection, prefix }));
  decoratorOf = (queue) => Task({ queue });
}

class App {}
Module({ imports, providers: Array.from({ length: QUEUES }, (_, index) => provider(index)) })(App);
const app = await NestFactory.create(App, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
// Milliseconds since the process started.
process.send?.(performance.now());
process.once('disconnect', () => void app.close());

/** @param {number} index */
function provider(index) {
  class Work {}
  Object.defineProperty(Work, 'name', { value: `Work${index}` });
  for (let method = 0; method < METHODS_OF_EACH; method++) {
    const key = `method${method}`;
    const descriptor = { value: async () => undefined, writable: true, configurable: true };
    Object.defineProperty(Work.prototype, key, descriptor);
    decoratorOf(`queue-${index}`)(Work.prototype, key, descriptor);
  }
  Injectable()(Work);
  return Work;
}
