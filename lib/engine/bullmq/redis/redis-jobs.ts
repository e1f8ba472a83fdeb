import type { Queue } from 'bullmq';
import type { Clock } from '../clock.js';
import type { JobData } from '../jobs/job-data.js';
import { unreadableOptions } from '../jobs/unreadable-job.js';
import type { CancelOfJob, EndedJobs, FailureOfJob, FoundJob, JobEdit, JobRef, StoredJobs } from '../stored-jobs.js';
import type { RedisClient } from './client-options.js';
import { editJob } from './edit-job.js';
import {
  beginningOfMark,
  CANCEL_JOB,
  FAIL_JOB,
  keysOfJob,
  READ_JOB,
  BEGIN_AGAIN,
  RUN_AGAIN,
  toFoundJob,
  type JobReply,
} from './job-hash.js';
import { MAKE_ENDABLE } from './make-endable.js';
import { eachInOnePacket } from './one-packet.js';
import { ignore } from './redis-client.js';
import { REMOVE_ENDED } from './remove-ended.js';

/** Looks up and changes jobs on Redis. */
export class RedisJobs implements StoredJobs {
  /** @param connect see `Driver.connect` */
  constructor(
    private readonly commands: RedisClient,
    private readonly prefix: string,
    private readonly clock: Clock,
    private readonly connect: () => Promise<void> | undefined,
  ) {}

  /** Sends a command for each job, all in one packet. */
  async find(jobs: readonly JobRef[]): Promise<(FoundJob | undefined)[]> {
    await this.connect();
    return eachInOnePacket(this.commands, jobs, async ({ queue, id }) => {
      const keys = keysOfJob(`${this.prefix}:${queue}:${id}`);
      return toFoundJob((await this.commands.eval(READ_JOB, keys.length, ...keys)) as JobReply);
    });
  }

  /** Sends a command for each job, all in one packet, and another one for each job that was delayed. */
  async cancel(queue: Queue, cancels: readonly CancelOfJob[]): Promise<(FoundJob | undefined)[]> {
    const backend = queue.getBackend();
    const found = await eachInOnePacket(this.commands, cancels, async (cancel) => {
      const keys = keysOfJob(backend.toKey(cancel.id));
      const reply = await this.commands.eval(CANCEL_JOB, keys.length, ...keys, beginningOfMark(cancel));
      return toFoundJob(reply as JobReply);
    });
    const delayed = cancels.filter((_, index) => found[index]?.state === 'delayed');
    // A promotion fails when the job's own time came meanwhile.
    await eachInOnePacket(this.commands, delayed, ({ id }) => backend.promote(id).catch(ignore));
    return found;
  }

  async runAgainAfterEnd({ queue, id }: JobRef, again: boolean): Promise<FoundJob | undefined> {
    const keys = keysOfJob(`${this.prefix}:${queue}:${id}`);
    return toFoundJob((await this.commands.eval(RUN_AGAIN, keys.length, ...keys, again ? 1 : 0)) as JobReply);
  }

  async beginAgain({ queue, id }: JobRef, data: JobData): Promise<boolean> {
    const key = `${this.prefix}:${queue}:${id}`;
    return Number(await this.commands.eval(BEGIN_AGAIN, 1, key, JSON.stringify(data))) === 1;
  }

  async fail({ queue, id }: JobRef, { reruns, ...mark }: FailureOfJob): Promise<FoundJob | undefined> {
    const keys = keysOfJob(`${this.prefix}:${queue}:${id}`);
    const reply = await this.commands.eval(FAIL_JOB, keys.length, ...keys, JSON.stringify(mark), reruns);
    const [isMarked, job] = reply as [number | string, JobReply];
    return Number(isMarked) === 1 ? toFoundJob(job) : undefined;
  }

  async makeEndable(queue: string, id: string, reason: string): Promise<void> {
    const key = `${this.prefix}:${queue}:${id}`;
    await this.commands.eval(
      MAKE_ENDABLE,
      1,
      key,
      JSON.stringify(unreadableOptions(reason)),
      `${this.prefix}:${queue}:de:`,
    );
  }

  async holdKey(queue: string, key: string, id: string): Promise<string> {
    const stored = `${this.prefix}:${queue}:de:${key}`;
    return (await this.commands.set(stored, id, 'NX')) ? id : ((await this.commands.get(stored)) ?? '');
  }

  async removeEnded(queue: string, { state, before, atOnce }: EndedJobs): Promise<number> {
    const prefix = `${this.prefix}:${queue}:`;
    const looked = await this.commands.eval(
      REMOVE_ENDED,
      1,
      `${prefix}${state}`,
      before,
      this.clock.now(),
      atOnce,
      prefix,
    );
    return looked as number;
  }

  edit(queue: string, id: string, edit: JobEdit): Promise<boolean> {
    return editJob(this.commands, `${this.prefix}:${queue}:`, id, edit);
  }
}
