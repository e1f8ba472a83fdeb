import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import type { Request } from 'express';
import { TaskQueueModule } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import { isAdministrator } from './administrators/administrator.js';
import { AdministratorsModule } from './administrators/administrators.module.js';
import { AdministratorsOnly } from './administrators/administrators-only.guard.js';
import { FEATURES } from './features.js';
import { FrameModule } from './frame/frame.module.js';
import { outboxOfOrders } from './orders/order-place.js';
import { visitorOf } from './visitors/visitor.js';

@Module({
  imports: [
    // The environment sets the store of the tasks (TASK_QUEUE_URL) and the processes that run them (TASK_QUEUE_ROLE).
    TaskQueueModule.forRoot({
      queues: Object.assign({}, ...FEATURES.map(({ queues }) => queues)),
      ...outboxOfOrders(),
      http: {
        // Only the visitor that started a task may read or cancel it. A task of a schedule has no visitor: every visitor may read
        // it, and only administrators may cancel it.
        authorize: (request: Request, _status, headers) =>
          headers.schedule === undefined
            ? headers.visitor === visitorOf(request)
            : request.method === 'GET' || isAdministrator(request),
      },
    }),
    // The page of administrators: http://localhost:3000/admin/tasks
    TaskDashboardModule.forRoot({ title: 'The sample', guards: [AdministratorsOnly] }),
    AdministratorsModule,
    FrameModule,
    ...FEATURES.map(({ module }) => module),
  ],
  providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
})
export class AppModule {}
