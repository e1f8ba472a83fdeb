import type { FlowJob, FlowProducer, Job } from 'bullmq';
import { EngineUnavailableError } from '../../../errors.js';
import type { MemberRange, TaskTree } from '../../task.js';
import type { TaskChanges } from '../../task-changes.js';
import type { Driver } from '../driver.js';
import { readData, toJob } from '../jobs/job-data.js';
import { fetchJobs, MemberReader } from './member-reader.js';

/** Trees stored in one step, when members are added to a running task. */
const ADD_AT_ONCE = 500;

/**
 * Stores tasks that wait for other tasks as BullMQ's flows: a parent is a job in the state `waiting-children`, its members
 * are its children.
 *
 * BullMQ decides when a parent runs. The results are then read from the members themselves, so a parent that runs too
 * early, or twice, or after a member was removed, still does the right thing.
 */
export class MemberFlows {
  private producer: FlowProducer | undefined;

  constructor(
    private readonly driver: Driver,
    private readonly hasPriorities: (queue: string) => boolean,
    private readonly changes: TaskChanges,
  ) {}

  /** Stores a whole tree in one step. */
  async add(tree: TaskTree): Promise<void> {
    this.driver.useQueues(queuesOf([tree]));
    await this.flows().add(this.toFlow(tree, this.driver.clock.now(), false));
  }

  /** Stores trees as members of a running job. A member that is stored already is left as it is. */
  async addTo(parent: Job, members: readonly TaskTree[]): Promise<void> {
    this.driver.useQueues(queuesOf(members));
    const link = { id: parent.id as string, queue: parent.queueQualifiedName };
    for (let start = 0; start < members.length; start += ADD_AT_ONCE) {
      const some = members.slice(start, start + ADD_AT_ONCE);
      const now = this.driver.clock.now();
      await this.flows().addBulk(
        some.map((member) => {
          const flow = this.toFlow(member, now, true);
          return { ...flow, opts: { ...flow.opts, parent: link } };
        }),
      );
      // BullMQ does not report a failed bulk. It stores all or none, so the last member shows whether it did.
      const last = some.at(-1) as TaskTree;
      if (!(await this.driver.jobs.find([last]))[0])
        throw new EngineUnavailableError(`The members of task ${link.id} could not be stored.`);
      for (const member of some) this.changes.emitEnqueued(member, now);
    }
  }

  /** The members that are not stored yet. */
  async missing(members: readonly TaskTree[]): Promise<TaskTree[]> {
    const found = await fetchJobs(this.driver.jobs, members);
    return members.filter((_, index) => found[index] === undefined);
  }

  /** Reads the members of a job. */
  membersOf(job: Job, ranges: readonly MemberRange[]): MemberReader {
    return new MemberReader(this.driver, job, ranges);
  }

  private toFlow(tree: TaskTree, now: number, isMember: boolean): FlowJob {
    const { name, data, opts } = toJob(tree, now, this.hasPriorities(tree.queue));
    return {
      name,
      queueName: tree.queue,
      data,
      opts: {
        ...opts,
        ...(isMember &&
          (tree.onFailure === 'wait' ? { ignoreDependencyOnFailure: true } : { continueParentOnFailure: true })),
      },
      ...(tree.members.length > 0 && { children: tree.members.map((member) => this.toFlow(member, now, true)) }),
    };
  }

  private flows(): FlowProducer {
    this.producer ??= this.driver.createFlowProducer();
    return this.producer;
  }
}

/** The root of the workflow that a job belongs to. */
export function rootOf(data: unknown): string | undefined {
  return readData(data)?.root;
}

/** The queues of trees and of all their members. */
function queuesOf(trees: readonly TaskTree[], found = new Set<string>()): string[] {
  for (const { queue, members } of trees) {
    found.add(queue);
    queuesOf(members, found);
  }
  return [...found];
}
