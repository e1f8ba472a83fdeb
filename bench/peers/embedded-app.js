/**
 * An application on the embedded engine: `embedded-app.js <folder> [<tasks>]`. It is JavaScript and uses the built package, because a
 * loader that compiles TypeScript takes time and a hundred megabytes of its own. With a number it runs so many tasks, and reports.
 */
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';

const [folder, tasks] = process.argv.slice(2);

class Nothing {
  async do() {}
}
const descriptor = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(Nothing.prototype, 'do'));
Task('Nothing.do')(Nothing.prototype, 'do', descriptor);

class App {}
Module({ imports: [TaskQueueModule.forRoot({ connection: `pglite:${folder}` })], providers: [Nothing] })(App);

const begun = performance.now();
const app = await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
/** @type {Record<string, number>} */
const figures = { start: performance.now() - begun };
if (tasks !== undefined) {
  const count = Number(tasks);
  const start = performance.now();
  const handles = await app
    .get(TaskQueue)
    .of('Nothing.do')
    .enqueueMany(Array.from({ length: count }, () => []));
  await Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
  figures.rate = (count / (performance.now() - start)) * 1_000;
  figures.memory = process.memoryUsage.rss() / 2 ** 20;
}
const { user, system } = process.cpuUsage();
process.send?.({ ...figures, processor: (user + system) / 1_000 });
process.once('disconnect', () => void app.close());
