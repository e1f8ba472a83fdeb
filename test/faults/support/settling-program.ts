/**
 * A worker that kills itself by SIGKILL right before it sends the `KILL_BEFORE`th command that names the task which it just
 * ran. A number that is never reached leaves it alone. The environment has the module's options in `OPTIONS`.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import pg from 'pg';
import { TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { SettlingWork, type Armed } from './settling-work.js';

let armedFor: string | undefined;
let left = Number(process.env['KILL_BEFORE']);
(globalThis as Armed).armKill = (id) => {
  armedFor ??= id;
};

/** Called before each command of a driver. */
function killIfDue(parts: readonly unknown[]): void {
  if (armedFor === undefined || !parts.some((part) => String(part).includes(armedFor as string))) return;
  if (--left === 0) process.kill(process.pid, 'SIGKILL');
}

const redis = Redis.prototype as unknown as { sendCommand(command: { args: unknown[] }, ...rest: unknown[]): unknown };
const { sendCommand } = redis;
redis.sendCommand = function (command, ...rest) {
  killIfDue(command.args.flat());
  return sendCommand.call(this, command, ...rest);
};

const client = pg.Client.prototype as unknown as {
  query(text: unknown, values?: unknown[], ...rest: unknown[]): unknown;
};
const { query } = client;
client.query = function (text, values, ...rest) {
  killIfDue(((text as { values?: unknown[] }).values ?? values ?? []).flat());
  return query.call(this, text, values, ...rest);
};

@Module({
  imports: [TaskQueueModule.forRoot(JSON.parse(process.env['OPTIONS'] as string) as TaskQueueOptions)],
  providers: [SettlingWork],
})
class App {}

await NestFactory.createApplicationContext(App, { logger: false });
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
