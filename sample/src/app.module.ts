import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import type { Request } from 'express';
import { type Duration, TaskQueueModule } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import { isAdministrator } from './administrators/administrator.js';
import { AdministratorsModule } from './administrators/administrators.module.js';
import { AdministratorsOnly } from './administrators/administrators-only.guard.js';
import { DatabaseModule } from './database/database.module.js';
import { outbox } from './database/database-url.js';
import { FEATURES } from './features.js';
import { FrameModule } from './frame/frame.module.js';
import { OutsideModule } from './outside/outside.module.js';
import { visitorOf } from './visitors/visitor.js';

@Module({
  imports: [
    // The environment sets the store of the tasks (TASK_QUEUE_URL) and the processes that run them (TASK_QUEUE_ROLE).
    TaskQueueModule.forRoot({
      queues: Object.assign({}, ...FEATURES.map(({ queues }) => queues)),
      // What a transaction enqueues waits in a table of its database until it is committed.
      ...outbox(),
      // The child processes of isolated tasks boot this module.
      isolation: { app: new URL(import.meta.url), processes: 1 },
      abandonedAfter: (process.env.SAMPLE_ABANDONED_AFTER ?? '30s') as Duration,
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
    DatabaseModule,
    OutsideModule,
    FrameModule,
    ...FEATURES.map(({ module }) => module),
  ],
  providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
})
export class AppModule {}
