import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import type { Request } from 'express';
import { TaskQueueModule } from 'nestjs-task-queue';
import { FirstStepsModule } from './first-steps/first-steps.module.js';
import { PeopleModule } from './people/people.module.js';
import { SchedulesModule } from './schedules/schedules.module.js';
import { visitorOf } from './visitors/visitor.js';

@Module({
  imports: [
    // Where tasks wait and who runs them is for the environment to say: TASK_QUEUE_URL and TASK_QUEUE_ROLE.
    TaskQueueModule.forRoot({
      queues: { people: { concurrency: 2 }, naps: { concurrency: 100 } },
      http: {
        // A task is for the visitor who started it. Those that schedules started are nobody's own: here they are for
        // everybody, as is the page that lists them; a real application asks whether this is an administrator.
        authorize: (request: Request, _status, headers) =>
          headers.schedule !== undefined || headers.visitor === visitorOf(request),
      },
    }),
    FirstStepsModule,
    PeopleModule,
    SchedulesModule,
  ],
  providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
})
export class AppModule {}
