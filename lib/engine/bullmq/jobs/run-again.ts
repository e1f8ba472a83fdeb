import type { JobJson } from 'bullmq';
import { isCancellation } from '../../failures.js';
import type { JobData } from './job-data.js';
import { readFailure, runOfFailure } from './job-failure.js';

/**
 * Milliseconds in which a caller runs a task again that has ended. The process of a caller that died in between leaves the task as it ended:
 * cancelled. That caller does not learn that the task runs again.
 */
const AGAIN_WITHIN = 30_000;

/**
 * Whether the end of a failed job is that of a cancelled run which a caller has asked to follow by another one. Then the job has not
 * ended: its worker is about to run it again, or a duty is, when that worker has died. The failure of a cancelled run says which run it
 * was, so the end of an earlier run is never taken for that of a later one.
 */
export function runsAgain(json: JobJson, data: JobData | undefined, now: number): boolean {
  const { cancelled, rerun } = data ?? {};
  if (!cancelled?.again && !rerun) return false;
  if (json.finishedOn === undefined || !isCancellation(readFailure(json))) return false;
  if (cancelled?.again) return true;
  const isAnother = (rerun?.count ?? 0) > (runOfFailure(json) ?? Infinity);
  return isAnother && (rerun?.asked === true || now <= json.finishedOn + AGAIN_WITHIN);
}
