import {
  Body,
  ConflictException,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Post,
  Put,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { type ScheduleStatus, type TaskHandle, TaskSchedules } from 'nestjs-task-queue';
import { AdministratorsOnly } from '../administrators/administrators-only.guard.js';
import { ScheduleErrorsFilter } from './schedule-errors.filter.js';
import { type NewScheduleForm, newScheduleForm, type ScheduleForm, scheduleForm } from './schedule-form.js';

/** Every visitor may read the schedules. */
@Controller('schedules')
export class SchedulesController {
  constructor(private readonly schedules: TaskSchedules) {}

  @Get()
  list(): Promise<ScheduleStatus[]> {
    return this.schedules.list();
  }
}

/** Administrators change the schedules and run them by hand. */
@Controller('schedules')
@UseGuards(AdministratorsOnly)
@UseFilters(ScheduleErrorsFilter)
export class SchedulesEditor {
  constructor(private readonly schedules: TaskSchedules) {}

  @Post()
  async create(@Body({ schema: newScheduleForm }) { id, ...form }: NewScheduleForm): Promise<ScheduleStatus> {
    if (await this.schedules.get(id)) throw new ConflictException(`There is a schedule “${id}” already.`);
    return this.save(id, form);
  }

  @Put(':id')
  change(@Param('id') id: string, @Body({ schema: scheduleForm }) form: ScheduleForm): Promise<ScheduleStatus> {
    return this.save(id, form);
  }

  @Post(':id/pause')
  @HttpCode(200)
  pause(@Param('id') id: string): Promise<ScheduleStatus> {
    return this.schedules.pause(id);
  }

  @Post(':id/resume')
  @HttpCode(200)
  resume(@Param('id') id: string): Promise<ScheduleStatus> {
    return this.schedules.resume(id);
  }

  /** Runs the schedule at once. The answer is `202 Accepted` with the address of the task. */
  @Post(':id/runs')
  run(@Param('id') id: string): Promise<TaskHandle> {
    return this.schedules.runNow(id);
  }

  @Delete(':id')
  @HttpCode(204)
  async remove(@Param('id') id: string): Promise<void> {
    await this.schedules.remove(id);
  }

  private save(id: string, { when, endsAt, limit, ...form }: ScheduleForm): Promise<ScheduleStatus> {
    return this.schedules.upsert(id, {
      ...form,
      ...when,
      ...(endsAt !== undefined && { endsAt: new Date(endsAt) }),
      ...(limit !== undefined && { limit }),
    });
  }
}
