/**
 * A process that moves calls from an outbox and runs none. The environment has the module's options in `OPTIONS`. With
 * `KILL_BEFORE`, the process kills itself by SIGKILL right before the first command to a database that contains these words.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { killBeforeText } from './kill-before-command.js';

const { KILL_BEFORE, OPTIONS } = process.env;
if (KILL_BEFORE) killBeforeText(KILL_BEFORE);

@Module({ imports: [TaskQueueModule.forRoot(JSON.parse(OPTIONS as string) as TaskQueueOptions)] })
class App {}

await NestFactory.createApplicationContext(App, { logger: false });
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
