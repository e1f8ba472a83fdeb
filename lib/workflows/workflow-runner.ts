import { setTimeout as wait } from 'node:timers/promises';
import type { Delivery, Engine, MemberResult, Outcome } from '../engine/engine.js';
import { sizeBeyond, type Json } from '../engine/json.js';
import { memberId } from '../engine/task-id.js';
import { compileMembers, compilePlan, withFailure, type Compilation } from './compile-plan.js';
import { failureOfMember, isCancellation, payloadTooLarge } from './failed-member.js';
import type { TaskNote } from '../engine/workflow-note.js';
import { queueOf, withInput, type Plan } from './plan.js';

/** How the method of a task ended: as every attempt, or by becoming another. */
export type RunOutcome = Outcome | { readonly kind: 'replaced'; readonly plan: Plan };

export interface RunnerOptions {
  readonly engine: Pick<Engine, 'enqueueTree' | 'cancel'>;
  /** Runs the method of a task. */
  readonly run: (delivery: Delivery) => Promise<RunOutcome>;
  /** Bytes of JSON of a result. */
  readonly maxPayload: number;
}

type Succeeded = Extract<MemberResult, { state: 'succeeded' }>;
type Failed = Extract<MemberResult, { state: 'failed' }>;

/** Members that are cancelled at the same time. */
const CANCEL_AT_ONCE = 50;
/** Between two attempts to store what follows a task while the engine cannot be reached. */
const LINK_AGAIN = 1_000;

/**
 * Runs what is part of a workflow: puts earlier results in, gathers groups, lets a task become another, and starts what
 * follows. A task outside of workflows goes straight through.
 *
 * Each time a task comes it looks at what became of its members, and goes on from there. So it does not matter why it
 * came, or how often: because all ended, because one failed, or because a process died.
 */
export class WorkflowRunner {
  constructor(private readonly options: RunnerOptions) {}

  /** Never rejects for what a task does; an engine that cannot be asked is an error. */
  run(delivery: Delivery): Promise<Outcome> {
    const { note, memberCount } = delivery;
    return note === undefined && memberCount === 0
      ? this.alone(delivery)
      : this.member(delivery, (note ?? {}) as TaskNote);
  }

  private async alone(delivery: Delivery): Promise<Outcome> {
    const outcome = await this.options.run(delivery);
    return outcome.kind === 'replaced' ? this.replaced(delivery, {}, outcome.plan) : outcome;
  }

  private async member(delivery: Delivery, note: TaskNote): Promise<Outcome> {
    return this.followed(delivery, note, await this.outcomeOf(delivery, note));
  }

  private async outcomeOf(delivery: Delivery, note: TaskNote): Promise<Outcome> {
    const results = delivery.memberCount > 0 ? await delivery.members() : [];
    const collects = note.group?.onFailure === 'collect';
    const mustSucceed = collects && !note.group.later ? results.slice(0, note.after ? 1 : 0) : results;
    const failed = mustSucceed.find((result): result is Failed => result.state === 'failed');
    if (failed) {
      await this.cancelUnfinished(results);
      return { kind: 'failed', failure: failureOfMember(failed, positionOf(results.indexOf(failed), note)) };
    }
    if (results.some(({ state }) => state === 'unfinished')) {
      return { kind: 'waiting', members: [], note: note as unknown as Json };
    }
    const input = note.after ? (results[0] as Succeeded).value : undefined;
    if (note.replaced) return { kind: 'succeeded', result: (results.at(-1) as Succeeded).value };
    if (note.group) return this.group(delivery, note, results, input);
    return this.task(delivery, note, input);
  }

  private async task(delivery: Delivery, note: TaskNote, input: Json | undefined): Promise<Outcome> {
    const outcome = note.each ? await this.each(delivery) : await this.options.run(piped(delivery, note, input));
    if (outcome.kind === 'replaced') return this.replaced(delivery, note, outcome.plan);
    if (outcome.kind !== 'failed' || !note.last || isCancellation(outcome.failure)) return outcome;
    const { id, name: task } = delivery;
    return {
      kind: 'failed',
      failure: failureOfMember({ id, state: 'failed', task, failure: outcome.failure }, note.step ?? 0),
    };
  }

  /** The method for each of the argument lists, one after the other: the first that fails fails them all. */
  private async each(delivery: Delivery): Promise<RunOutcome> {
    const results: Json[] = [];
    for (const args of delivery.args as readonly (readonly Json[])[]) {
      const outcome = await this.options.run({ ...delivery, args });
      if (outcome.kind !== 'succeeded') return outcome;
      results.push(outcome.result ?? null);
    }
    return this.list(results);
  }

  private group(
    delivery: Delivery,
    note: TaskNote,
    results: readonly MemberResult[],
    input: Json | undefined,
  ): Outcome {
    const { later, ...group } = note.group ?? {};
    if (later && later.length > 0) {
      const plans = later.map((plan) => withInput(plan, input ?? null));
      const members = compileMembers(plans, delivery.id, delivery.memberCount, compilationOf(delivery));
      return {
        kind: 'waiting',
        members: members.map((member) => withFailure(member, group.onFailure)),
        note: { ...note, group } as unknown as Json,
      };
    }
    const own = results.slice(note.after ? 1 : 0);
    if (group.onFailure !== 'collect') return this.list(own.map((result) => (result as Succeeded).value));
    return this.list(own.map((result) => collected(result as Succeeded | Failed)));
  }

  private replaced(delivery: Delivery, note: TaskNote, plan: Plan): Outcome {
    const members = compileMembers([plan], delivery.id, delivery.memberCount, compilationOf(delivery));
    return { kind: 'waiting', members, note: { ...note, replaced: true } as unknown as Json };
  }

  private list(values: readonly Json[]): Outcome {
    const { maxPayload } = this.options;
    const size = sizeBeyond(values, maxPayload);
    if (size !== undefined) return { kind: 'failed', failure: payloadTooLarge(size, maxPayload) };
    return { kind: 'succeeded', result: values };
  }

  private async cancelUnfinished(results: readonly MemberResult[]): Promise<void> {
    const ids = results.filter(({ state }) => state === 'unfinished').map(({ id }) => id);
    const reason = 'Another member of the workflow failed.';
    for (let start = 0; start < ids.length; start += CANCEL_AT_ONCE) {
      const some = ids.slice(start, start + CANCEL_AT_ONCE);
      await Promise.all(some.map((id) => this.options.engine.cancel(id, reason)));
    }
  }

  /** Stores what follows before the end itself is stored; its ids follow from the task's, so twice is as good as once. */
  private async followed(delivery: Delivery, note: TaskNote, outcome: Outcome): Promise<Outcome> {
    const { id, name: task, interruption } = delivery;
    let links: readonly Plan[] | undefined;
    let given: Json | undefined;
    if (outcome.kind === 'succeeded') [links, given] = [note.onSuccess, outcome.result ?? null];
    if (outcome.kind === 'failed' && !isCancellation(outcome.failure)) {
      const { name, message, code } = outcome.failure;
      [links, given] = [note.onError, { name, message, ...(code !== undefined && { code }), id, task }];
    }
    for (const [index, plan] of (links ?? []).entries()) {
      const follower = withInput(plan, given as Json);
      const root = memberId(id, `${outcome.kind}:${index}`, queueOf(plan) ?? delivery.queue);
      const tree = compilePlan(follower, root, { ...compilationOf(delivery), root });
      for (;;) {
        try {
          await this.options.engine.enqueueTree(tree);
          break;
        } catch {
          if (interruption.isWanted) return { kind: 'postponed', delay: 0 };
          await wait(LINK_AGAIN);
        }
      }
    }
    return outcome;
  }
}

function piped(delivery: Delivery, { piped: isPiped }: TaskNote, input: Json | undefined): Delivery {
  return isPiped && delivery.args ? { ...delivery, args: [input ?? null, ...delivery.args] } : delivery;
}

function compilationOf({ headers, root, queue }: Delivery): Compilation {
  return { headers, root, queue, now: Date.now() };
}

/** A step's failure is told with its place in the chain, a group member's with its place in the group. */
function positionOf(index: number, { after, step = 0 }: TaskNote): number {
  if (!after) return index;
  return index === 0 ? step - 1 : index - 1;
}

function collected(result: Succeeded | Failed): Json {
  if (result.state === 'succeeded') return { ok: true, value: result.value };
  const { name, message, code } = result.failure;
  return { ok: false, error: { name, message, ...(code !== undefined && { code }) } };
}
