import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import type { Request } from 'express';
import { TaskQueueModule } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import { ThisMachineGuard } from './dashboard/this-machine.guard.js';
import { FirstStepsModule } from './first-steps/first-steps.module.js';
import { PeopleModule } from './people/people.module.js';
import { SchedulesModule } from './schedules/schedules.module.js';
import { visitorOf } from './visitors/visitor.js';

@Module({
  imports: [
    // The environment sets the store of the tasks (TASK_QUEUE_URL) and the processes that run them (TASK_QUEUE_ROLE).
    TaskQueueModule.forRoot({
      queues: { people: { concurrency: 2 }, naps: { concurrency: 100 } },
      http: {
        // Only the visitor that started a task may read it. A task of a schedule has no visitor: in this sample every
        // visitor may read it, and the page of schedules. A real application checks that the user is an administrator.
        authorize: (request: Request, _status, headers) =>
          headers.schedule !== undefined || headers.visitor === visitorOf(request),
      },
    }),
    // The page of administrators: http://localhost:3000/admin/tasks
    TaskDashboardModule.forRoot({ title: 'The sample', guards: [ThisMachineGuard] }),
    FirstStepsModule,
    PeopleModule,
    SchedulesModule,
  ],
  providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
})
export class AppModule {}
