import { Module } from '@nestjs/common';
import { CounterTasks } from './counter.tasks.js';
import { CountersController } from './counters.controller.js';

@Module({ controllers: [CountersController], providers: [CounterTasks] })
export class CountersModule {}
