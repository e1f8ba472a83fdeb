/** An application with traces, whose isolated task makes a span and enqueues another task. Children boot it too. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { propagation, trace } from '@opentelemetry/api';
import { InjectTasks, Task, TaskProcessor, TaskQueueModule, type Tasks } from 'nestjs-task-queue';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';

@TaskProcessor({ queue: 'letters' })
export class Letters {
  @Task('letters.send')
  send(): void {}
}

@TaskProcessor({ queue: 'reports', isolate: true })
export class Reports {
  constructor(@InjectTasks(Letters) private readonly letters: Tasks<Letters>) {}

  @Task('reports.build')
  async build(): Promise<string> {
    await trace.getTracer('reports').startActiveSpan('render', async (span) => {
      await this.letters.send.enqueue();
      span.end();
    });
    return propagation.getActiveBaggage()?.getEntry('tenant')?.value ?? 'none';
  }
}

export const TRACED_PROVIDERS = [Letters, Reports];

@Module({
  imports: [TaskQueueModule.forRoot({ connection: 'memory:' }), TaskTelemetryModule.forRoot()],
  providers: TRACED_PROVIDERS,
})
export class AppModule {}
