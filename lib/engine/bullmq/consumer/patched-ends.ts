import type { IQueueBackend, Job } from 'bullmq';
import type { TaskFailure } from '../../task.js';
import { bareError } from '../../bare-error.js';
import { bullmq } from '../bullmq-package.cjs';
import { isLockLoss } from './lock-loss-detector.js';

/**
 * Makes a job fail for good whose success the store refuses for a reason that stays: a trigger or a constraint of the database. By
 * itself, BullMQ stores the error of the database as that of the job, and runs the job again while attempts are left, although its method
 * has ended.
 *
 * @param toError makes the error that BullMQ stores
 */
export function failRefusedEnds<B extends Pick<IQueueBackend, 'moveToCompleted'>>(
  backend: B,
  toError: (job: Job, failure: TaskFailure) => Error,
): B {
  const moveToCompleted = backend.moveToCompleted.bind(backend);
  backend.moveToCompleted = async (job, ...args) => {
    try {
      return await moveToCompleted(job, ...args);
    } catch (error) {
      // An outage: BullMQ tries again. A lost lock: another worker has the job.
      if (!bullmq.isNotConnectionError(error as Error) || isLockLoss(error as Error)) throw error;
      throw toError(job as unknown as Job, refusalOf(error));
    }
  };
  return backend;
}

function refusalOf(error: unknown): TaskFailure {
  const { message, code } = bareError(error) as Error & { readonly code?: string | number };
  return {
    name: 'Error',
    message: `The task succeeded, and the store refuses its result: ${message}`,
    ...(code !== undefined && { code: String(code) }),
  };
}
