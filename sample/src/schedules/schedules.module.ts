import { Module } from '@nestjs/common';
import { DailyTasks } from './daily.tasks.js';
import { SchedulesController } from './schedules.controller.js';

@Module({ controllers: [SchedulesController], providers: [DailyTasks] })
export class SchedulesModule {}
