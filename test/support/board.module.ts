import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { createBullBoard } from '@bull-board/api';
import { ExpressAdapter } from '@bull-board/express';
import { getQueueToken } from '@nestjs/bullmq';
import { All, Controller, Module, Next, Req, Res, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { Job, Queue } from 'bullmq';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { TaskQueue, TaskSchedules } from 'nestjs-task-queue';

/** What bull-board shows of a queue: its jobs, and the schedules of its tasks. */
class TaskQueueAdapter extends BullMQAdapter {
  constructor(
    private readonly name: string,
    queue: Queue,
    private readonly tasks: TaskQueue,
    private readonly schedules: TaskSchedules,
  ) {
    super(queue);
  }

  /** A retry as `handle.retry()` does it: a workflow runs on afterwards. */
  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id);
    return job && Object.assign(job, { retry: async () => void (await this.tasks.handle(id).retry()) });
  }

  override async getJobSchedulers() {
    const schedules = (await this.schedules.list()).filter(({ queue }) => queue === this.name);
    return schedules.map(({ id, task, cron, every, timezone, nextRun, lastRun, runs, args }) => ({
      id,
      name: task,
      ...(cron === null ? { every: every ?? 0 } : { pattern: cron, tz: timezone }),
      ...(nextRun !== null && { next: Date.parse(nextRun) }),
      ...(lastRun && { lastRun: Date.parse(lastRun.enqueuedAt), lastRunJobId: lastRun.id }),
      iterationCount: runs,
      template: { data: { args } },
    }));
  }

  override async getJobSchedulersCount(): Promise<number> {
    return (await this.getJobSchedulers()).length;
  }

  override async runJobSchedulerNow(id: string) {
    if (!(await this.schedules.get(id))) return 'not-found' as const;
    const { id: task } = await this.schedules.runNow(id);
    return (await this.getJob(task)) ?? ('not-found' as const);
  }

  override removeJobScheduler(id: string): Promise<boolean> {
    return this.schedules.remove(id);
  }

  /** `taskSchedules.upsert()` changes a schedule. */
  override get supportsJobSchedulerUpdate(): boolean {
    return false;
  }
}

const PATH = '/admin/queues';
const QUEUES = ['default', 'mail'];

/** A controller, and no middleware: Nest's guards run for each request of a controller, also those of `APP_GUARD`. */
@Controller(PATH)
class BoardController implements OnModuleInit {
  private handler: RequestHandler | undefined;

  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly tasks: TaskQueue,
    private readonly schedules: TaskSchedules,
  ) {}

  onModuleInit(): void {
    const board = new ExpressAdapter().setBasePath(PATH);
    const queues = QUEUES.map((name) => {
      const queue = this.moduleRef.get<Queue>(getQueueToken(name), { strict: false });
      return new TaskQueueAdapter(name, queue, this.tasks, this.schedules);
    });
    createBullBoard({ queues, serverAdapter: board });
    this.handler = board.getRouter() as RequestHandler;
  }

  @All(['', '*path'])
  async serve(@Req() request: Request, @Res() response: Response, @Next() next: NextFunction): Promise<void> {
    // bull-board's routes begin behind the path of the controller.
    request.url = request.url.slice(PATH.length) || '/';
    await this.handler?.(request, response, next);
  }
}

@Module({ controllers: [BoardController] })
export class BoardModule {}
