import type { FlowJob, FlowProducer, Job } from 'bullmq';
import type { MemberRange, MemberResult, TaskTree } from '../../engine.js';
import type { Json } from '../../json.js';
import { memberIds, queueOfTask } from '../../task-id.js';
import { readFailure } from '../jobs/job-failure.js';
import { parse, readData, toJob } from '../jobs/job-data.js';
import type { Store } from '../driver.js';

/** Trees stored in one step, when members are added to a task that runs. */
const ADD_AT_ONCE = 500;
/** Look-ups under way at the same time. */
const LOOK_AT_ONCE = 100;

/**
 * Tasks that wait for others, as BullMQ's flows: a parent becomes a job in `waiting-children`, its members its children.
 *
 * BullMQ decides when a parent's turn comes; what became of its members is read from the members themselves. So a parent
 * that comes too early, or twice, or because a member was removed, does the right thing.
 */
export class MemberFlows {
  private producer: FlowProducer | undefined;

  constructor(
    private readonly store: Store,
    private readonly hasPriorities: (queue: string) => boolean,
  ) {}

  /** Stores a whole tree in one step. */
  async add(tree: TaskTree): Promise<void> {
    await this.flows().add(this.toFlow(tree, Date.now(), false));
  }

  /** Stores trees as members of a job that runs. Those that are there already are left as they are. */
  async addTo(parent: Job, members: readonly TaskTree[]): Promise<void> {
    const link = { id: parent.id as string, queue: parent.queueQualifiedName };
    for (let start = 0; start < members.length; start += ADD_AT_ONCE) {
      const some = members.slice(start, start + ADD_AT_ONCE);
      const now = Date.now();
      await this.flows().addBulk(
        some.map((member) => {
          const flow = this.toFlow(member, now, true);
          return { ...flow, opts: { ...flow.opts, parent: link } };
        }),
      );
      // BullMQ does not tell when this failed. What was stored was stored together, so the last one stands for all.
      const last = some.at(-1) as TaskTree;
      if (!(await this.store.find(last.queue, last.id)))
        throw new Error(`The members of task ${link.id} could not be stored.`);
    }
  }

  /** Those that are not stored yet. */
  async missing(members: readonly TaskTree[]): Promise<TaskTree[]> {
    const found = await inBatches(members, ({ queue, id }) => this.store.find(queue, id));
    return members.filter((_, index) => found[index] === undefined);
  }

  /** What became of a job's members so far, in order. */
  async results(job: Job, ranges: readonly MemberRange[]): Promise<MemberResult[]> {
    const values = new Map<string, Json>();
    for (const [key, value] of Object.entries((await job.getChildrenValues()) ?? {})) {
      values.set(key.slice(key.lastIndexOf(':') + 1), (value ?? null) as Json);
    }
    return inBatches(memberIds(job.id as string, ranges), async (id) => {
      const value = values.get(id);
      return value === undefined ? this.look(id) : { id, state: 'succeeded', value };
    });
  }

  private async look(id: string): Promise<MemberResult> {
    const found = await this.store.find(queueOfTask(id) as string, id);
    if (!found) {
      const failure = { name: 'TaskNotFoundError', code: 'TASK_NOT_FOUND', message: 'It was removed before it ended.' };
      return { id, state: 'failed', task: 'that was removed', failure };
    }
    const { json, state } = found;
    if (state === 'completed') return { id, state: 'succeeded', value: (parse(json.returnvalue) ?? null) as Json };
    if (state === 'failed') return { id, state: 'failed', task: json.name, failure: readFailure(json) };
    return { id, state: 'unfinished' };
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
    this.producer ??= this.store.createFlowProducer();
    return this.producer;
  }
}

/** The task whose watchers hear of this job too. */
export function rootOf(data: unknown): string | undefined {
  return readData(data)?.root;
}

export async function inBatches<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += LOOK_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(start, start + LOOK_AT_ONCE).map(ask))));
  }
  return results;
}
