/**
 * The application of the comparison `isolation`, which its child processes boot too. The file is JavaScript, as built applications are,
 * because a loader that compiles TypeScript adds time for every file.
 */
import { Module } from '@nestjs/common';
import { Task, TaskQueueModule } from 'nestjs-task-queue';

/** Milliseconds from the start of the process until the application had booted. */
let bootedAfter = 0;

class Work {
  onApplicationBootstrap() {
    bootedAfter = performance.now();
  }
  here() {}
  isolated() {}
  boot() {
    return bootedAfter;
  }
  /** @param {number} milliseconds */
  compute(milliseconds) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
  }
}
/** @param {string} method @param {import('nestjs-task-queue').TaskOptions} options */
const declare = (method, options) =>
  Task({ name: method, ...options })(
    Work.prototype,
    method,
    /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(Work.prototype, method)),
  );
declare('here', { queue: 'here' });
for (const method of ['isolated', 'boot', 'compute']) declare(method, { queue: 'isolated', isolate: true });

export class AppModule {}
Module({
  imports: [
    TaskQueueModule.forRoot({
      connection: 'memory:',
      role: /** @type {import('nestjs-task-queue').Role} */ (process.env['ROLE'] ?? 'both'),
      isolation: { app: new URL(import.meta.url), processes: 2, maxTasks: 1_000_000 },
    }),
  ],
  providers: [Work],
})(AppModule);

export const timeOfBoot = () => bootedAfter;
