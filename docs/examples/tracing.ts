import { Injectable, type DynamicModule } from '@nestjs/common';
import { InjectTasks, Task, TaskContext, type Tasks } from 'nestjs-task-queue';

@Injectable()
export class ReportTasks {
  @Task()
  build(month: string): string {
    return month;
  }
}

@Injectable()
export class Desk {
  constructor(@InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>) {}

  async order(request: { headers: { traceparent: string } }, month: string): Promise<void> {
    await this.reports.build.with({ headers: { traceparent: request.headers.traceparent } }).enqueue(month);
  }
}

/** Stands for the module of nestjs-pino. */
declare const LoggerModule: {
  forRootAsync(options: { inject: [typeof TaskContext]; useFactory: (task: TaskContext) => object }): DynamicModule;
};

export const logger = (): DynamicModule =>
  LoggerModule.forRootAsync({
    inject: [TaskContext],
    useFactory: (task: TaskContext) => ({ pinoHttp: { mixin: () => task.logFields() } }),
  });
