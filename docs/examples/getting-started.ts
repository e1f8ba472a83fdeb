import { Body, Controller, Injectable, Module, Post } from '@nestjs/common';
import { InjectTasks, Task, TaskContext, TaskQueueModule, Tasks } from 'nestjs-task-queue';

@Injectable()
export class ReportTasks {
  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 3, timeout: '5m' })
  async build(month: string): Promise<{ url: string }> {
    for (let page = 1; page <= 40; page++) {
      this.task.signal.throwIfAborted();
      await this.task.progress(page, 40, 'rendering');
    }
    return { url: `/reports/${month}.pdf` };
  }
}

@Controller('reports')
export class ReportsController {
  constructor(@InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>) {}

  @Post()
  create(@Body() body: { month: string }) {
    return this.reports.build.enqueue(body.month); // 202 Accepted, Location: /tasks/<id>
  }
}

@Module({ imports: [TaskQueueModule.forRoot()], controllers: [ReportsController], providers: [ReportTasks] })
export class AppModule {}
