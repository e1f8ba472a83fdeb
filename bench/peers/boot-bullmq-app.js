/**
 * The application of boot-app.js with `@nestjs/bullmq`: `boot-bullmq-app.js <connection> <prefix>`. It has a processor for each queue,
 * which runs all jobs of its queue, and tells its parent when it listens and its workers are ready.
 */
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';

const QUEUES = 20;
const [connection = '', prefix = ''] = process.argv.slice(2);
const { hostname: host, port } = new URL(connection);
const names = Array.from({ length: QUEUES }, (_, index) => `queue-${index}`);

/** @type {(new () => WorkerHost)[]} */
const processors = names.map((name) => {
  class Work extends WorkerHost {
    async process() {}
  }
  Processor(name)(Work);
  return Work;
});

class App {}
Module({
  imports: [
    BullModule.forRoot({ connection: { host, port: Number(port) }, prefix }),
    BullModule.registerQueue(...names.map((name) => ({ name }))),
  ],
  providers: processors,
})(App);
const app = await NestFactory.create(App, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
await Promise.all(processors.map((type) => app.get(type).worker.waitUntilReady()));
// Milliseconds since the process started.
process.send?.(performance.now());
process.once('disconnect', () => void app.close());
