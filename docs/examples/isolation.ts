import { Module } from '@nestjs/common';
import { Task, TaskContext, TaskProcessor, TaskQueueModule } from 'nestjs-task-queue';

export abstract class Templates {
  abstract render(month: string): readonly string[];
}

@TaskProcessor({ queue: 'reports' })
export class ReportTasks {
  constructor(
    private readonly templates: Templates,
    private readonly task: TaskContext,
  ) {}

  @Task({ isolate: { memory: '512mb' }, timeout: '30s', retries: 2 })
  async render(month: string): Promise<{ pages: number }> {
    const pages = this.templates.render(month);
    await this.task.progress(1, 2, 'rendered');
    return { pages: pages.length };
  }
}

@Module({
  imports: [
    TaskQueueModule.forRoot({
      isolation: {
        app: new URL('./app.module.js', import.meta.url), // CommonJS: join(__dirname, 'app.module.js')
        export: 'AppModule', // the default, else the only class that the file exports
        processes: 2,
        maxTasks: 100,
      },
    }),
  ],
})
export class AppModule {}

/** Stands for the module of `@nestjs/typeorm`. */
declare const TypeOrmModule: { forRoot(options: object): object };
declare const options: object;
export const database = () =>
  TypeOrmModule.forRoot({ ...options, extra: { max: process.env['TASK_QUEUE_ISOLATED'] ? 1 : 10 } });
