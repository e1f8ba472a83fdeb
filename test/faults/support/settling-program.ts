/**
 * A worker that kills itself by SIGKILL right before it sends the `KILL_BEFORE`th command that names the task which it just
 * ran. A number that is never reached leaves it alone. The environment has the module's options in `OPTIONS`.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { killBeforeCommand } from './kill-before-command.js';
import { SettlingWork, type Armed } from './settling-work.js';

let armedFor: string | undefined;
(globalThis as Armed).armKill = (id) => {
  armedFor ??= id;
};
killBeforeCommand(Number(process.env['KILL_BEFORE']), (parts) => {
  const id = armedFor;
  return id !== undefined && parts.some((part) => part.includes(id));
});

@Module({
  imports: [TaskQueueModule.forRoot(JSON.parse(process.env['OPTIONS'] as string) as TaskQueueOptions)],
  providers: [SettlingWork],
})
class App {}

await NestFactory.createApplicationContext(App, { logger: false });
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
