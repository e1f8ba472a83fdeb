import { AsyncLocalStorage } from 'node:async_hooks';
import { expiry } from '../../engine/failures.js';
import { Interruption } from '../../engine/interruption.js';
import type { Delivery } from '../../engine/ports/worker-port.js';
import { ConfigurationError, TaskCancelledError, TaskTimeoutError } from '../../errors.js';
import type { BatchSettings } from '../../tasks/task-batch.js';
import type { RegisteredTask } from '../../tasks/task-registry.js';
import { validateArguments } from '../../tasks/validate-arguments.js';
import type { RunOutcome } from '../../workflows/run-outcome.js';
import { notAPromise } from '../../not-a-promise.js';
import { attemptsOf } from '../error-to-outcome.js';
import { openRun } from '../open-run.js';
import type { RunEnds } from '../run-ends.js';
import { SlowRun } from '../slow-run.js';
import type { TaskContext, TaskRun } from '../task-context.js';
import { TimeLimit } from '../time-limit.js';
import { BatchMember } from './batch-member.js';
import { BatchMemberCall } from './batch-member-call.js';
import { BatchQueue, type Batchable } from './batch-queue.js';
import { endsOf, mostOf } from './batch-results.js';
import type { RunPlaces } from './run-places.js';

export interface BatchRunnerDeps {
  readonly context: TaskContext;
  readonly ends: RunEnds;
  readonly places: Pick<RunPlaces, 'take'>;
  /** The time by which tasks expire. */
  readonly now: () => number;
}

/** A batch begins before its calls expire: earlier by a part of their time, which is at most this many milliseconds. */
const LONGEST_ASK = 1_000;
const EARLY = 0.75;

/** A task that takes batches. */
export type BatchTask = RegisteredTask & { readonly definition: { readonly batch: BatchSettings } };

interface Waiting extends Batchable {
  readonly member: BatchMember;
}

/**
 * Runs tasks whose methods take many calls at once. Guards, pipes and the schema act on each call, before it waits for its batch;
 * interceptors act on the batch. Each call ends by itself.
 */
export class BatchRunner {
  private readonly queues = new Map<string, BatchQueue<Waiting>>();
  private isClosed = false;
  /** A batch belongs to none of its calls, so it does not run in the asynchronous context of the call that came last. */
  private readonly outsideOfCalls = AsyncLocalStorage.snapshot();

  constructor(private readonly deps: BatchRunnerDeps) {}

  /** @param args the arguments that the call was enqueued with */
  async handle(delivery: Delivery, args: readonly unknown[], task: BatchTask): Promise<RunOutcome> {
    const { ends } = this.deps;
    const { definition } = task;
    const member = new BatchMember(delivery, args, (error) => ends.journal.listenerThrew(delivery, error));
    try {
      const inRun = <R>(body: () => R): R => this.deps.context.run(this.runOf(member, definition), body);
      if (definition.schema || task.invoker.admit) member.args = await this.admit(member, task, inRun);
      else member.limit.interruptIn(inRun);
      const returned = await this.runInBatch(member, task);
      if (!member.log.isIdle) await member.log.flush();
      if (member.decided) throw member.decided.error;
      if (member.reason instanceof TaskCancelledError) throw member.reason;
      return ends.returned(delivery, returned, definition);
    } catch (error) {
      if (member.notRun === 'given back') return { kind: 'postponed', delay: 0 };
      if (member.notRun === 'too late') return ends.journal.ended(delivery, { kind: 'failed', failure: expiry() });
      await member.log.flush();
      const thrown = member.decided ? member.decided.error : error;
      return ends.threw({ delivery, definition, thrown, interruption: member.reason });
    } finally {
      member.close();
    }
  }

  /** Gives back the calls that wait for a batch, and all that come later: the application closes. */
  close(): void {
    this.isClosed = true;
    for (const queue of this.queues.values()) for (const { member } of queue.clear()) member.leaveOut('given back');
  }

  /** The arguments of a call, checked and changed by what acts on each call. */
  private async admit(
    { limit, args }: BatchMember,
    { definition, invoker }: BatchTask,
    inRun: <R>(body: () => R) => R,
  ): Promise<readonly unknown[]> {
    const checked = await limit.race(
      () => validateArguments(definition, args),
      (body) => body(),
    );
    return limit.race(() => invoker.admit?.(checked) ?? checked, inRun);
  }

  /** The run of one call, in which what acts on each call runs, and the listeners of its signal. */
  private runOf({ delivery, limit, log }: BatchMember, definition: BatchTask['definition']): TaskRun {
    const { ends } = this.deps;
    return openRun(delivery, definition, {
      ...{ limit, log },
      progress: (value) => delivery.progress(ends.checked(value, 'progress', 'The progress report')),
      checkedResult: (value) => ends.checked(value, 'result', 'The result'),
    });
  }

  private runInBatch(member: BatchMember, task: BatchTask): Promise<unknown> {
    if (this.isClosed) {
      member.leaveOut('given back');
      return member.returned;
    }
    const waiting = this.waiting(member, task);
    const queue = this.queueOf(member.delivery.queue, task);
    queue.add(waiting);
    member.limit.interruption.onRequest(() => {
      if (queue.remove(waiting)) member.reject(member.reason);
    });
    return member.returned;
  }

  private waiting(member: BatchMember, { definition }: BatchTask): Waiting {
    const { size, wait } = definition.batch;
    const { delivery, args } = member;
    const { expiresAt } = delivery.options;
    // A task that has started once never expires, and neither does one that a caller has run again.
    const mayStart = expiresAt === undefined || delivery.starts > 1 || delivery.reruns > 0;
    const within = mayStart ? Infinity : Math.max(expiresAt - this.deps.now(), 0);
    return {
      member,
      group: groupOf(definition, args),
      most: mostOf(size, delivery.attempt, attemptsOf(delivery, definition)),
      // Other processes may have to be asked for a place.
      wait: Math.min(wait, Math.max(within - LONGEST_ASK, within * EARLY)),
      within,
    };
  }

  private queueOf(name: string, task: BatchTask): BatchQueue<Waiting> {
    const id = `${name}:${task.definition.name}`;
    let queue = this.queues.get(id);
    if (!queue) {
      queue = new BatchQueue({
        takePlace: () => this.deps.places.take(name),
        tooLate: (late) => {
          for (const { member } of late) member.leaveOut('too late');
        },
        run: (batch) =>
          this.outsideOfCalls(() =>
            this.run(
              batch.map(({ member }) => member),
              task,
            ),
          ),
      });
      this.queues.set(id, queue);
    }
    return queue;
  }

  private async run(members: readonly BatchMember[], { definition, invoker }: BatchTask): Promise<void> {
    const { journal } = this.deps.ends;
    const first = members[0] as BatchMember;
    const about = { ...first.delivery, id: nameOf(members) };
    const limit = new TimeLimit(interruptionOf(members), timeoutOf(members, definition.timeout), {
      onListenerError: (error) => journal.listenerThrew(about, error),
      onLate: (taken, timeout) => journal.timedOutLate(about, taken, timeout),
    });
    const { slow } = definition;
    const slowRun = slow === undefined ? undefined : new SlowRun(slow, (taken) => journal.slow(about, taken, slow));
    for (const { delivery } of members) delivery.started();
    try {
      const calls = members.map((member) => new BatchMemberCall(member));
      const ends = await limit.race(
        async () => endsOf(await invoker.invoke([calls]), members.length, definition.name),
        (body) => this.deps.context.run(runOfBatch(members, limit), body),
      );
      limit.checkTime();
      if (limit.reason instanceof TaskTimeoutError) throw limit.reason;
      for (const [index, member] of members.entries()) member.endAs(ends[index] as PromiseSettledResult<unknown>);
    } catch (error) {
      limit.checkTime();
      const { reason } = limit;
      for (const member of members) member.reject(reason instanceof TaskTimeoutError ? reason : error);
    } finally {
      limit.clear();
      slowRun?.end();
    }
  }
}

/**
 * The text that a call has in common with the others of its batch.
 *
 * @throws ConfigurationError when the function `key` returns what has no text of its own: different calls would come into one batch
 */
function groupOf({ name, batch: { key } }: BatchTask['definition'], args: readonly unknown[]): string {
  if (!key) return '';
  const what = `key in batch of task "${name}"`;
  const group = notAPromise(key(...args), what);
  if ((typeof group !== 'object' || group === null) && typeof group !== 'function') return String(group);
  throw new ConfigurationError(`${what} returned ${kindOf(group)}. Return a text.`);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'function' ? 'a function' : 'an object';
}

/** The run of a batch, in which `TaskContext` has what its calls have in common. */
function runOfBatch(members: readonly BatchMember[], limit: TimeLimit): TaskRun {
  const { interruption, deadline } = limit;
  const { id, name, queue, enqueuedAt } = (members[0] as BatchMember).delivery;
  return {
    id,
    name,
    queue,
    enqueuedAt,
    calls: new Set(members.map(({ delivery }) => delivery.id)),
    attempt: 1,
    maxAttempts: 1,
    headers: {},
    interruption,
    deadline,
    isOver: () => limit.isOver,
    progress: () => Promise.resolve(),
    log: async (text, level) => {
      await Promise.all(members.map(({ log }) => log.write(text, level)));
    },
    completeIn: async () => {
      throw new ConfigurationError('completeIn() is for tasks that run by themselves, not for batches.');
    },
  };
}

/** Is requested once all calls of the batch are interrupted: then nothing needs the rest of the run. */
function interruptionOf(members: readonly BatchMember[]): Interruption {
  const interruption = new Interruption();
  let left = members.length;
  for (const { limit } of members) {
    limit.interruption.onRequest(() => {
      left--;
      if (left === 0) interruption.request(limit.reason);
    });
  }
  return interruption;
}

/** The shortest time limit of the calls. */
function timeoutOf(members: readonly BatchMember[], declared: number | undefined): number | undefined {
  const timeouts = members.flatMap(({ delivery }) => delivery.options.timeout ?? declared ?? []);
  return timeouts.length > 0 ? Math.min(...timeouts) : undefined;
}

function nameOf(members: readonly BatchMember[]): string {
  const { id } = (members[0] as BatchMember).delivery;
  return members.length === 1 ? id : `${id} and ${members.length - 1} more in its batch`;
}
