import { setTimeout as wait } from 'node:timers/promises';
import { inBatches } from '../concurrency.js';
import { EngineUnavailableError, PayloadTooLargeError, TaskQueueError } from '../errors.js';
import { DEATHS_ALLOWED, failureOf, isCancellation, repeatedLoss, unreadable } from '../engine/failures.js';
import { sizeBeyond, type Json } from '../engine/json.js';
import type { Instrumentations } from '../engine/instrumentation.js';
import type { Delivery, DeliveryHandler, Outcome } from '../engine/ports/worker-port.js';
import { refuseTwoShards } from '../engine/shards/refuse-spanning-tree.js';
import type { FailedResult, MemberResult, TaskTree } from '../engine/task.js';
import { dutyTask, expiryDutiesOf } from '../engine/duty-task.js';
import type { Duty, DutyEnd, ItemState, WorkflowNote } from '../engine/workflow-note.js';
import { unreadablePlans } from './check-plan.js';
import { compileMembers, withFailure, type CompileContext } from './compile-plan.js';
import { checkArguments, completePlan } from './complete-plan.js';
import { failureOfMember, positionOf } from './failed-member.js';
import { fromJsonPlans, placedTasks, type Plan } from './plan.js';
import { runItems } from './run-items.js';
import type { RunOutcome } from './run-outcome.js';
import { CANCEL_AT_ONCE, endOf, MEMBER_FAILED, WorkflowDuties, type WorkflowDutiesDeps } from './workflow-duties.js';
import { PackageLogger } from '../package-logger.js';

export interface WorkflowRunnerDeps extends WorkflowDutiesDeps {
  /** Runs the method of a task. */
  readonly executor: DeliveryHandler<RunOutcome>;
  readonly instrumentations: Instrumentations;
  /** How many items of a map the method of a task takes at once: those of one batch. */
  readonly itemsAtOnce: (task: string) => number;
}

type Succeeded = Extract<MemberResult, { state: 'succeeded' }>;

/** Members that a failed workflow cancels before its end is stored. A duty cancels the others afterwards. */
const CANCEL_FIRST = 100;
/** Milliseconds between two attempts to store a duty while the engine cannot be reached. */
const STORE_AGAIN_AFTER = 1_000;

/**
 * The first handler of a run: it gives tasks the results of earlier ones, gathers groups, lets a task become another,
 * and leaves duties behind: the callbacks of a task, and members to be cancelled. A task outside of workflows goes
 * straight to the executor.
 *
 * Each time a task of a workflow runs, the runner reads the results of its members and goes on from there. So it does
 * not matter why the task runs, or how often: because all members ended, because one failed, or because a process died.
 */
export class WorkflowRunner implements DeliveryHandler {
  private readonly logger = new PackageLogger();
  private readonly duties: WorkflowDuties;

  constructor(private readonly deps: WorkflowRunnerDeps) {
    this.duties = new WorkflowDuties(deps);
  }

  /** @throws EngineUnavailableError when the engine cannot be asked for the members */
  handle(delivery: Delivery): Promise<Outcome> {
    const { note, memberCount } = delivery;
    if (note?.duty) return this.duties.handle(delivery, note.duty);
    return note === undefined && memberCount === 0
      ? this.handleLoneTask(delivery)
      : this.handleMember(delivery, note ?? {});
  }

  /** Most tasks are handled here, so it makes no more promises than it needs. */
  private handleLoneTask(delivery: Delivery): Promise<Outcome> {
    if (delivery.abandoned > DEATHS_ALLOWED) return Promise.resolve({ kind: 'failed', failure: repeatedLoss() });
    const { executor, instrumentations } = this.deps;
    const outcome = instrumentations.ignoresRuns
      ? executor.handle(delivery)
      : instrumentations.run(delivery, () => executor.handle(delivery));
    return outcome.then((ended) => (ended.kind === 'replaced' ? this.replace(delivery, {}, ended.plan) : ended));
  }

  private async handleMember(delivery: Delivery, note: WorkflowNote): Promise<Outcome> {
    const reason = unreadablePlans(note);
    if (reason !== undefined) return this.failUnreadable(delivery, reason);
    const { id, reruns } = delivery;
    const outcome = await this.outcomeOf(delivery, note);
    const priority = delivery.note?.priority ?? delivery.options.priority;
    const end = endBy(outcome, delivery, note);
    if (end && end.callbacks.length > 0) {
      await this.leave({ kind: 'callbacks', id, reruns, ...(priority !== undefined && { priority }), end }, delivery);
    }
    return outcome;
  }

  private failUnreadable({ name, id }: Delivery, reason: string): Outcome {
    const failure = unreadable(reason);
    this.logger.error(`Task ${name} (${id}) failed: ${failure.message}`);
    return { kind: 'failed', failure };
  }

  private async outcomeOf(delivery: Delivery, note: WorkflowNote): Promise<Outcome> {
    if (delivery.abandoned > DEATHS_ALLOWED) return { kind: 'failed', failure: repeatedLoss() };
    const { memberCount } = delivery;
    const mustSucceed = note.group?.onFailure === 'collect' && !note.group.later ? (note.after ? 1 : 0) : memberCount;
    const first = mustSucceed > 0 ? await delivery.failedMember(mustSucceed) : undefined;
    if (first) return this.fail(delivery, note, first.member, first.place, first.unfinished);
    const results = memberCount > 0 ? await delivery.members() : [];
    const failed = results.slice(0, mustSucceed).find((result): result is FailedResult => result.state === 'failed');
    const unfinished = results.filter(({ state }) => state === 'unfinished').map(({ id }) => id);
    if (failed) return this.fail(delivery, note, failed, results.indexOf(failed), unfinished);
    if (unfinished.length > 0) return { kind: 'waiting', members: [], note };
    if (note.replaced) return { kind: 'succeeded', result: (results.at(-1) as Succeeded).value };
    if (note.group) return this.gatherGroup(delivery, note, results);
    return this.runTask(delivery, note, results);
  }

  private async fail(
    delivery: Delivery,
    note: WorkflowNote,
    failed: FailedResult,
    place: number,
    unfinished: readonly string[],
  ): Promise<Outcome> {
    const { id, reruns } = delivery;
    const first = unfinished.slice(0, CANCEL_FIRST);
    await inBatches(first, CANCEL_AT_ONCE, (member) => this.deps.engine.cancel(member, MEMBER_FAILED, true));
    if (unfinished.length > first.length) await this.leave({ kind: 'cancel members', id, reruns }, delivery);
    return { kind: 'failed', failure: failureOfMember(delivery, failed, positionOf(place, note)) };
  }

  private async runTask(delivery: Delivery, note: WorkflowNote, results: readonly MemberResult[]): Promise<Outcome> {
    const delay = remainingDelay(note, this.deps.engine.now());
    if (delay > 0)
      return { kind: 'postponed', delay, note: { ...note, delay: { at: this.deps.engine.now() + delay } } };
    const outcome = await this.deps.instrumentations.run(delivery, () =>
      note.each
        ? this.runEach(delivery, note, results)
        : this.runOnce(delivery, note, note.after ? (results[0] as Succeeded).value : null),
    );
    if (outcome.kind === 'replaced') return this.replace(delivery, note, outcome.plan);
    if (outcome.kind !== 'failed' || !note.last || isCancellation(outcome.failure)) return outcome;
    const { id, name: task } = delivery;
    const failed: FailedResult = { id, state: 'failed', task, failure: outcome.failure };
    return { kind: 'failed', failure: failureOfMember(delivery, failed, note.step ?? 0) };
  }

  private runOnce(delivery: Delivery, { piped }: WorkflowNote, input: Json): Promise<RunOutcome> {
    const { args, name } = delivery;
    if (!piped || !args) return this.deps.executor.handle(delivery);
    const complete = [input, ...args];
    return unlessRefused<RunOutcome>(() => {
      checkArguments(name, complete, this.deps.maxPayload);
      return this.deps.executor.handle({ ...delivery, args: complete });
    });
  }

  private async runEach(delivery: Delivery, note: WorkflowNote, results: readonly MemberResult[]): Promise<RunOutcome> {
    const { executor, itemsAtOnce } = this.deps;
    const run = await runItems(delivery, executor, { known: note.items ?? [], atOnce: itemsAtOnce(delivery.name) });
    if (run.kind === 'failed') return run;
    const tooLarge = this.refuseLarge(run.items.map((item) => (item && 'value' in item ? item.value : null)));
    if (tooLarge) return tooLarge;
    if (run.kind === 'interrupted') {
      return run.outcome.kind === 'postponed' ? { ...run.outcome, note: { ...note, items: run.items } } : run.outcome;
    }
    if (run.plans.length === 0) return this.succeedWithList(run.items.map((item) => valueOf(item, results)));
    return this.waitFor(delivery, { ...note, items: run.items }, () => run.plans);
  }

  private gatherGroup(
    delivery: Delivery,
    note: WorkflowNote,
    results: readonly MemberResult[],
  ): Outcome | Promise<Outcome> {
    const { later, ...group } = note.group ?? {};
    if (later && later.length > 0) {
      const input = (results[0] as Succeeded).value;
      return this.waitFor(delivery, { ...note, group }, () =>
        fromJsonPlans(later).map((plan) => completePlan(plan, input, this.deps.maxPayload)),
      );
    }
    const own = results.slice(note.after ? 1 : 0);
    if (group.onFailure !== 'collect') return this.succeedWithList(own.map((result) => (result as Succeeded).value));
    return this.succeedWithList(own.map((result) => collected(result as Succeeded | FailedResult)));
  }

  private replace(delivery: Delivery, note: WorkflowNote, plan: Plan): Promise<Outcome> {
    return this.waitFor(delivery, { ...note, replaced: true }, () => [plan]);
  }

  /** The outcome that makes a task wait for more members. @param note the note that the task gets */
  private waitFor(delivery: Delivery, note: WorkflowNote, plans: () => readonly Plan[]): Promise<Outcome> {
    return unlessRefused(async () => {
      const later = plans();
      refuseTwoShards([delivery, ...placedTasks(later)], this.deps.topology);
      const compiled = compileMembers(later, delivery.id, delivery.memberCount, this.contextOf(delivery));
      // Those of a map and of a replaced task are never in a group of their own.
      const members = compiled.map((member) => withFailure(member, note.group?.onFailure));
      for (const duty of expiryDutiesOf(delivery.id, members, this.deps.engine.now(), this.deps.topology))
        await this.deps.calls.enqueueTree(duty, delivery);
      return { kind: 'waiting', members: await this.deps.calls.membersOf(delivery, members), note };
    });
  }

  private succeedWithList(values: readonly Json[]): Outcome {
    return this.refuseLarge(values) ?? { kind: 'succeeded', result: values };
  }

  private refuseLarge(values: readonly Json[]): Extract<Outcome, { kind: 'failed' }> | undefined {
    const { maxPayload } = this.deps;
    const size = sizeBeyond(values, maxPayload);
    if (size === undefined) return undefined;
    const error = new PayloadTooLargeError('The results of the members together', size, maxPayload);
    return { kind: 'failed', failure: failureOf(error) };
  }

  /**
   * Stores a duty before the end that leaves it behind.
   *
   * @throws EngineUnavailableError when the run has to end before the engine could be reached. The end is not stored
   * either, so the task counts as one whose process died
   */
  private async leave(duty: Duty, delivery: Delivery): Promise<void> {
    const { interruption, name, id } = delivery;
    const tree: TaskTree = dutyTask(duty, this.deps.topology);
    for (;;) {
      try {
        await this.deps.calls.enqueueTree(tree, delivery);
        return;
      } catch (error) {
        if (!(error instanceof EngineUnavailableError)) {
          // It would fail each time. The task itself has ended as it has.
          this.logger.error(`The ${duty.kind} of task ${name} (${id}) cannot be stored: ${(error as Error).message}`);
          return;
        }
        if (interruption.isRequested) throw error;
        await wait(STORE_AGAIN_AFTER);
      }
    }
  }

  private contextOf({ headers, root, queue, note, options }: Delivery): CompileContext {
    const { engine, hasRateLimit, topology } = this.deps;
    const priority = note?.priority ?? options.priority;
    return { headers, root, queue, now: engine.now(), priority, hasRateLimit, topology };
  }
}

/** The outcome, or a failure when a plan holds a task that cannot be part of a workflow, or arguments are too large. */
async function unlessRefused<O extends RunOutcome>(run: () => O | Promise<O>): Promise<O | Outcome> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof TaskQueueError && !(error instanceof EngineUnavailableError))
      return { kind: 'failed', failure: failureOf(error) };
    throw error;
  }
}

/** The end that an outcome leads to; `undefined` when the task goes on or was cancelled. */
function endBy(outcome: Outcome, { id, name, queue, headers }: Delivery, note: WorkflowNote): DutyEnd | undefined {
  const task = { id, name, queue, headers, note };
  if (outcome.kind === 'succeeded')
    return endOf({ ...task, state: 'succeeded', result: outcome.result ?? null, error: null });
  if (outcome.kind !== 'failed' || isCancellation(outcome.failure)) return undefined;
  return endOf({ ...task, state: 'failed', result: null, error: outcome.failure });
}

/** Milliseconds until the task may start, when its members ended now or earlier. */
function remainingDelay({ delay = 0 }: WorkflowNote, now: number): number {
  return typeof delay === 'number' ? delay : delay.at - now;
}

function valueOf(item: ItemState, results: readonly MemberResult[]): Json {
  return 'value' in item ? item.value : (results[item.member] as Succeeded).value;
}

/** The entry of a member in the result of a group with `onFailure: 'collect'`. */
function collected(result: Succeeded | FailedResult): Json {
  if (result.state === 'succeeded') return { ok: true, value: result.value };
  const { name, message, code } = result.failure;
  return { ok: false, error: { name, message, ...(code !== undefined && { code }) } };
}
