import type { Job } from 'bullmq';
import type { Outcome } from '../../ports/worker-port.js';
import { rangesOf } from '../../task-id.js';
import type { MemberFlows } from '../operations/member-flows.js';
import type { JobData } from '../jobs/job-data.js';

/** One run of a job. */
export interface JobRun {
  readonly job: Job<JobData>;
  readonly token: string | undefined;
  /** The method of the task was called. */
  readonly hasStarted: boolean;
  /** See `Delivery.mark`. */
  readonly mark?: string | undefined;
  /** Whether this process has lost its lock on the job: it must store nothing more. */
  readonly isLost?: () => boolean;
}

/**
 * Stores members of a running task and makes it wait for them, without a place in its worker.
 *
 * The job first gets the mark `adding`, then the members are stored, then the job gets the note and loses the mark. A
 * process that dies in between leaves a job with the mark: the next run gives the same outcome, and only the missing
 * members are stored. (BullMQ would wait for ever for a member that is stored a second time after it ended.)
 *
 * @param untilStored runs one step until the store takes it. Each step may be repeated
 * @returns false when there is nothing left to wait for: the task has to run again at once
 */
export async function waitForMembers(
  { job, token, hasStarted }: JobRun,
  { members, note }: Extract<Outcome, { kind: 'waiting' }>,
  flows: MemberFlows,
  untilStored: <T>(step: () => Promise<T>) => Promise<T>,
): Promise<boolean> {
  const before = job.data;
  const setData = (data: JobData) => untilStored(() => job.updateData(data));
  if (members.length > 0) {
    const { adding, ...data } = before;
    if (!adding) await setData({ ...data, adding: true });
    let mayBeStored = adding === true;
    await untilStored(async () => {
      const some = mayBeStored ? await flows.missing(members) : members;
      mayBeStored = true;
      await flows.addTo(job, some);
    });
    const ranges = rangesOf(
      members.map(({ queue }) => queue),
      data.members,
    );
    await setData(withLook({ ...data, note, members: ranges }, hasStarted));
    // A member that failed before the parent waited could not make it run.
    const counts = await untilStored(() => job.getDependenciesCount({ ignored: true, failed: true }));
    const { ignored = 0, failed = 0 } = counts;
    if (ignored + failed > 0 && members.some(({ onFailure }) => onFailure !== 'wait')) return false;
  } else {
    await setData(withLook(before, hasStarted));
  }
  return untilStored(() => job.moveToWaitingChildren(token as string));
}

/** The data of a job after a run, which was only a look if the method was not called. */
export function withLook(data: JobData, hasStarted: boolean): JobData {
  return hasStarted ? data : { ...data, looks: (data.looks ?? 0) + 1 };
}

/** The data of a job that a worker gives back without having called its method. */
export function withReturn(data: JobData): JobData {
  return { ...withLook(data, false), returns: (data.returns ?? 0) + 1 };
}
