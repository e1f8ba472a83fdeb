/** An application with traces, on the place of `PLACE`: a web server when `NAME` is `web`, otherwise a worker. */
import './traced-sdk.js';
import 'reflect-metadata';
import { Controller, Inject, Injectable, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { propagation } from '@opentelemetry/api';
import { Task, TaskContext, TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';

const isWeb = process.env['NAME'] === 'web';

@Injectable()
class Orders {
  constructor(
    @Inject(TaskContext) private readonly task: TaskContext,
    @Inject(TaskQueue) private readonly queue: TaskQueue,
  ) {}

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 5, jitter: 0 } })
  async ship(_order: number): Promise<string> {
    if (this.task.attempt === 1) throw new Error('no truck');
    await this.queue.of(Orders).announce.enqueue();
    return propagation.getActiveBaggage()?.getEntry('tenant')?.value ?? 'none';
  }

  @Task()
  announce(): string {
    return propagation.getActiveBaggage()?.getEntry('tenant')?.value ?? 'none';
  }
}

@Controller('orders')
class OrdersController {
  constructor(@Inject(TaskQueue) private readonly queue: TaskQueue) {}

  @Post()
  async create(): Promise<{ id: string }> {
    const { id } = await this.queue.of(Orders).ship.enqueue(1);
    return { id };
  }
}

@Module({
  imports: [
    TaskQueueModule.forRoot({
      ...(JSON.parse(process.env['PLACE'] ?? '{}') as TaskQueueOptions),
      ...(isWeb && { role: 'producer' as const }),
    }),
    TaskTelemetryModule.forRoot(),
  ],
  controllers: isWeb ? [OrdersController] : [],
  providers: [Orders],
})
class App {}

if (isWeb) {
  const app = await NestFactory.create(App, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  process.send?.({ ready: await app.getUrl() });
} else {
  await NestFactory.createApplicationContext(App, { logger: false });
  process.send?.({ ready: 'yes' });
}
