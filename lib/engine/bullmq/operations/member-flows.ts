import type { FlowJob, FlowProducer, Job } from 'bullmq';
import { removedMember, unreadable } from '../../failures.js';
import type { Json } from '../../json.js';
import type { MemberRange, MemberResult, TaskTree } from '../../task.js';
import { memberIds, queueOfTask } from '../../task-id.js';
import type { Driver, FoundJob, JobRef } from '../driver.js';
import { parse, readData, toJob } from '../jobs/job-data.js';
import { readFailure } from '../jobs/job-failure.js';
import { whyUnreadable } from '../jobs/job-to-record.js';
import { FORMAT, formatOf, UNKNOWN_NAME } from '../jobs/unreadable-job.js';

/** Trees stored in one step, when members are added to a running task. */
const ADD_AT_ONCE = 500;
/** Members that are read in one round trip. */
const FETCH_AT_ONCE = 100;

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
  ) {}

  /** Stores a whole tree in one step. */
  async add(tree: TaskTree): Promise<void> {
    await this.flows().add(this.toFlow(tree, this.driver.clock.now(), false));
  }

  /** Stores trees as members of a running job. A member that is stored already is left as it is. */
  async addTo(parent: Job, members: readonly TaskTree[]): Promise<void> {
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
      if (!(await this.driver.find([last]))[0]) throw new Error(`The members of task ${link.id} could not be stored.`);
    }
  }

  /** The members that are not stored yet. */
  async missing(members: readonly TaskTree[]): Promise<TaskTree[]> {
    const found = await this.fetch(members);
    return members.filter((_, index) => found[index] === undefined);
  }

  /** The results of a job's members so far, in order. */
  async results(job: Job, ranges: readonly MemberRange[]): Promise<MemberResult[]> {
    const values = new Map<string, Json>();
    for (const [key, value] of Object.entries(await this.storedValues(job))) {
      values.set(key.slice(key.lastIndexOf(':') + 1), (value ?? null) as Json);
    }
    const ids = memberIds(job.id as string, ranges);
    const others = ids.filter((id) => !values.has(id));
    const found = await this.fetch(others.map((id) => ({ queue: queueOfTask(id) as string, id })));
    const fetched = new Map(others.map((id, index) => [id, resultOf(id, found[index])]));
    return ids.map((id) => fetched.get(id) ?? { id, state: 'succeeded', value: values.get(id) as Json });
  }

  private async fetch(members: readonly JobRef[]): Promise<(FoundJob | undefined)[]> {
    const found: (FoundJob | undefined)[] = [];
    for (let start = 0; start < members.length; start += FETCH_AT_ONCE) {
      found.push(...(await this.driver.find(members.slice(start, start + FETCH_AT_ONCE))));
    }
    return found;
  }

  /** The results that BullMQ stored with the job. When one of them is not JSON, all are read from the members instead. */
  private async storedValues(job: Job): Promise<Readonly<Record<string, unknown>>> {
    try {
      return (await job.getChildrenValues()) ?? {};
    } catch (error) {
      if (this.driver.isOutage(error)) throw error;
      return {};
    }
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

function resultOf(id: string, found: FoundJob | undefined): MemberResult {
  if (!found) return { id, state: 'failed', task: 'that was removed', failure: removedMember(id) };
  const { json, state } = found;
  const data = parse(json.data);
  const reason = whyUnreadable(json, data, state);
  if (reason !== undefined && formatOf(data) <= FORMAT)
    return { id, state: 'failed', task: json.name || UNKNOWN_NAME, failure: unreadable(reason) };
  if (state === 'completed') return { id, state: 'succeeded', value: (parse(json.returnvalue) ?? null) as Json };
  if (state === 'failed') return { id, state: 'failed', task: json.name, failure: readFailure(json) };
  return { id, state: 'unfinished' };
}

/** The root of the workflow that a job belongs to. */
export function rootOf(data: unknown): string | undefined {
  return readData(data)?.root;
}
