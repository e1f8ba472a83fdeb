import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { TaskQueueModule } from 'nestjs-task-queue';
import { TaskQueueHealthModule } from 'nestjs-task-queue/health';
import { TaskMetricsModule } from 'nestjs-task-queue/metrics';
import { OrderStore } from './orders/order-store.js';
import { OrdersController } from './orders/orders.controller.js';
import { OrderTasks } from './orders/orders.tasks.js';
import { ProbesController } from './probes.controller.js';

/** The web and the workers run this module. TASK_QUEUE_URL and TASK_QUEUE_ROLE tell them apart. */
@Module({
  imports: [
    TaskQueueModule.forRoot({ queues: { orders: { concurrency: 10 } } }),
    // No route: the worker command serves the figures on its own port.
    TaskMetricsModule.forRoot({ path: false }),
    TaskQueueHealthModule,
    TerminusModule,
  ],
  controllers: [OrdersController, ProbesController],
  providers: [OrderStore, OrderTasks],
})
export class AppModule {}
