import { AppModule } from './tracing.module.js';
import { NestFactory } from '@nestjs/core';
import { TaskContext, TaskLogger } from 'nestjs-task-queue';

const app = await NestFactory.create(AppModule, { bufferLogs: true });
app.useLogger(new TaskLogger(app.get(TaskContext)));
