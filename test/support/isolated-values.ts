/** An application whose isolated tasks return and throw values that are hard to store. Its children boot it too. */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { Task, TaskContext, TaskQueueModule } from 'nestjs-task-queue';
import { REFUSED, STORED, THROWN } from './hostile-values.js';

@Injectable()
export class IsolatedValues {
  constructor(private readonly task: TaskContext) {}

  @Task({ queue: 'values', isolate: true, retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async give(what: string): Promise<unknown> {
    return (STORED[what] ?? REFUSED[what]!)[0]();
  }

  @Task({ queue: 'values', isolate: true })
  async fail(what: string): Promise<void> {
    throw THROWN[what]![0]();
  }

  @Task({ queue: 'values', isolate: true })
  async report(what: string): Promise<string> {
    try {
      await this.task.progress(REFUSED[what]![0]() as never);
      return 'stored';
    } catch (error) {
      return (error as Error).message;
    }
  }
}

@Module({ imports: [TaskQueueModule.forRoot({ abandonedAfter: '30s' })], providers: [IsolatedValues] })
export class AppModule {}
