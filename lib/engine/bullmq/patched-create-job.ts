import type { Job, JobJson, Worker } from 'bullmq';
import {
  FORMAT,
  formatOf,
  isObject,
  UNKNOWN_NAME,
  unreadableOptions,
  unreadableReason,
} from './jobs/unreadable-job.js';

/** The method of a worker that makes a `Job` of what it took. Its type is protected. */
interface CreatesJobs {
  createJob(json: JobJson, id: string): Job;
}

/**
 * Makes a worker hand every job that it takes to its processor. By itself, a worker drops a job whose data is not JSON,
 * so the job stays with the worker until its lock is over; it fails a job whose processes died without asking the
 * processor; and it stops at a broken reference to a scheduler. A job that cannot be read gets
 * {@link unreadableOptions}, and the processor fails it.
 */
export function patchCreateJob<W extends Worker>(worker: W): W {
  const patched = worker as unknown as CreatesJobs;
  const createJob = patched.createJob.bind(worker);
  patched.createJob = (json, id) => {
    const job = createOrMark(createJob, json, id);
    if (formatOf(job.data) > FORMAT) {
      job.deferredFailure = '';
      return job;
    }
    const reason = unreadableReason(job, job.data);
    if (reason !== undefined) {
      job.name ||= UNKNOWN_NAME;
      // BullMQ's script that stores a failure needs a number.
      job.opts = { attempts: 0, ...unreadableOptions(reason) };
      job.deferredFailure = '';
    }
    if (!('repeat' in job.opts && isObject(job.opts.repeat))) job.repeatJobKey = undefined;
    return job;
  };
  return worker;
}

function createOrMark(createJob: CreatesJobs['createJob'], json: JobJson, id: string): Job {
  try {
    return createJob(json, id);
  } catch {
    return createJob({ ...json, data: '{}', opts: unreadableOptions('data is not JSON') }, id);
  }
}
