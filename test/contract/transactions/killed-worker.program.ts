/** A worker that kills itself at one point of a task, and says so when it is ready. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskQueueModule } from 'nestjs-task-queue';
import { Payments, PAYMENT_OPTIONS } from './killed-worker.tasks.js';

const [url, prefix] = process.argv.slice(2) as [string, string];

@Module({ imports: [TaskQueueModule.forRoot({ connection: url, prefix, ...PAYMENT_OPTIONS })], providers: [Payments] })
class App {}

await NestFactory.createApplicationContext(App, { logger: false });
console.log('ready');
