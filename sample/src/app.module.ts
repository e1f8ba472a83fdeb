import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import type { Request } from 'express';
import { TaskQueueModule } from 'nestjs-task-queue';
import { FirstStepsModule } from './first-steps/first-steps.module.js';
import { PeopleModule } from './people/people.module.js';
import { visitorOf } from './visitors/visitor.js';

@Module({
  imports: [
    // Where tasks wait and who runs them is for the environment to say: TASK_QUEUE_URL and TASK_QUEUE_ROLE.
    TaskQueueModule.forRoot({
      queues: { people: { concurrency: 2 }, naps: { concurrency: 100 } },
      http: { authorize: (request: Request, _status, headers) => headers.visitor === visitorOf(request) },
    }),
    FirstStepsModule,
    PeopleModule,
  ],
  providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
})
export class AppModule {}
