import {
  Body,
  ConflictException,
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Put,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { InjectTasks, type ScheduleStatus, type TaskHandle, type Tasks, TaskSchedules } from 'nestjs-task-queue';
import { AdministratorsOnly } from '../administrators/administrators-only.guard.js';
import { Database } from '../database/database.js';
import { type CounterForm, counterForm, type NewCounterForm, newCounterForm } from './counter-form.js';
import { CounterTasks } from './counter.tasks.js';
import { ScheduleErrorsFilter } from './schedule-errors.filter.js';

/** How many numbers of a counter the page shows. */
const SHOWN = 30;

/** Every visitor may read the counters. Administrators change them: at once, in all processes, and beyond a restart. */
@Controller('counters')
@UseFilters(ScheduleErrorsFilter)
export class CountersController {
  constructor(
    private readonly database: Database,
    private readonly schedules: TaskSchedules,
    @InjectTasks(CounterTasks) private readonly counters: Tasks<CounterTasks>,
  ) {}

  @Get()
  async list() {
    const counters = (await this.schedules.list()).filter((schedule) => this.isCounter(schedule));
    return Promise.all(counters.map(async (counter) => ({ ...counter, counts: await this.countsOf(counter.id) })));
  }

  @UseGuards(AdministratorsOnly)
  @Post()
  async create(@Body({ schema: newCounterForm }) { id, ...form }: NewCounterForm): Promise<ScheduleStatus> {
    if (await this.schedules.get(id)) throw new ConflictException(`The name “${id}” is taken.`);
    return this.save(id, form);
  }

  @UseGuards(AdministratorsOnly)
  @Put(':id')
  async change(@Param('id') id: string, @Body({ schema: counterForm }) form: CounterForm): Promise<ScheduleStatus> {
    return this.save(await this.counter(id), form);
  }

  @UseGuards(AdministratorsOnly)
  @Post(':id/pause')
  @HttpCode(200)
  async pause(@Param('id') id: string): Promise<ScheduleStatus> {
    return this.schedules.pause(await this.counter(id));
  }

  @UseGuards(AdministratorsOnly)
  @Post(':id/resume')
  @HttpCode(200)
  async resume(@Param('id') id: string): Promise<ScheduleStatus> {
    return this.schedules.resume(await this.counter(id));
  }

  /** Counts at once. The answer is `202 Accepted` with the address of the task. */
  @UseGuards(AdministratorsOnly)
  @Post(':id/runs')
  async run(@Param('id') id: string): Promise<TaskHandle> {
    return this.schedules.runNow(await this.counter(id));
  }

  @UseGuards(AdministratorsOnly)
  @Delete(':id')
  @HttpCode(204)
  async remove(@Param('id') id: string): Promise<void> {
    await this.schedules.remove(await this.counter(id));
  }

  private save(id: string, { counts, when, endsAt, limit, ...form }: CounterForm): Promise<ScheduleStatus> {
    return this.schedules.upsert(id, {
      task: this.counters.count,
      args: [counts],
      ...form,
      ...when,
      ...(endsAt !== undefined && { endsAt: new Date(endsAt) }),
      ...(limit !== undefined && { limit }),
    });
  }

  /** This page is for counters. Another schedule of the application does not exist for it. */
  private async counter(id: string): Promise<string> {
    const schedule = await this.schedules.get(id);
    if (!schedule || !this.isCounter(schedule)) throw new NotFoundException('There is no such counter.');
    return id;
  }

  private isCounter({ task }: ScheduleStatus): boolean {
    return task === 'CounterTasks.count';
  }

  private async countsOf(id: string) {
    const latest = await this.database
      .selectFrom('count')
      .select(['tick', 'value', 'counted_at', 'process'])
      .where('schedule', '=', id)
      .orderBy('counted_at', 'desc')
      .limit(SHOWN)
      .execute();
    return latest.toReversed();
  }
}
