import type { Provider } from '@nestjs/common';
import { TaskAdmin } from '../admin/task-admin.js';
import type { Engine } from '../engine/engine.js';
import { TaskQueue } from '../producers/task-queue.js';
import { TaskResults } from '../results/task-results.js';
import { TaskSchedules } from '../schedules/task-schedules.js';
import { ENGINE } from '../task-queue-tokens.js';
import { localOperator, type Operator } from './operations.js';
import { answerOperations } from './remote-operator.js';

/** Injects the {@link Operator} of this application. */
export const OPERATOR = Symbol('nestjs-task-queue: operator');

/** The operator, which also answers the requests of other processes from the moment on at which it exists. */
export const OPERATOR_PROVIDERS: Provider[] = [
  {
    provide: OPERATOR,
    inject: [ENGINE, TaskAdmin, TaskSchedules, TaskQueue, TaskResults],
    useFactory: (
      engine: Engine,
      admin: TaskAdmin,
      schedules: TaskSchedules,
      taskQueue: TaskQueue,
      results: TaskResults,
    ): Operator => {
      const operator = localOperator({ engine, admin, schedules, taskQueue, results });
      engine.serveRequests(answerOperations(operator));
      return operator;
    },
  },
];
