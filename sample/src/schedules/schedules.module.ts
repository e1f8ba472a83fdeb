import { Module } from '@nestjs/common';
import { DailyTasks } from './daily.tasks.js';
import { SchedulesController, SchedulesEditor } from './schedules.controller.js';

@Module({ controllers: [SchedulesController, SchedulesEditor], providers: [DailyTasks] })
export class SchedulesModule {}
