import type { Engine } from '../engine/engine.js';
import { DEATHS_ALLOWED, failureOf } from '../engine/failures.js';
import type { Instrumentations } from '../engine/instrumentation.js';
import type { Delivery, Outcome, Places } from '../engine/ports/worker-port.js';
import { ConfigurationError, WorkerLostError } from '../errors.js';
import { lostAtMostOnce } from '../workers/error-to-outcome.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { IsolatedRuns, IsolatedTask } from '../workers/isolated-runs.js';
import type { RunEnds } from '../workers/run-ends.js';
import { SlowRun } from '../workers/slow-run.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import type { ChildPool } from './child-pool.js';
import type { ChildProcess } from './child-process.js';
import { GivenBack } from './given-back.js';
import { IsolatedRun, type RunEnd } from './isolated-run.js';
import type { SentRun } from './messages.js';

/** The dialects that transactions have. */
const DIALECTS = ['postgres', 'mysql', 'sqlite'] as const;
/** How many children in a row may end before they have taken a task. */
const UNTAKEN_ALLOWED = 3;
/** The outcome of an attempt whose child has committed the success of the task, and then ended. */
const COMMITTED: RunOutcome = { kind: 'succeeded', result: undefined };

export interface IsolatedTasksDeps {
  readonly engine: Engine;
  readonly pool: ChildPool;
  readonly instrumentations: Pick<Instrumentations, 'carry'>;
}

/**
 * Runs tasks in child processes. This process keeps the task, so its lock is renewed while the child computes, and the child does what
 * needs the application: guards, pipes, interceptors and the method.
 */
export class IsolatedTasks implements IsolatedRuns {
  private lastRun = 0;
  private readonly givenBack: GivenBack;

  constructor(private readonly deps: IsolatedTasksDeps) {
    const { engine, pool } = deps;
    this.givenBack = new GivenBack(engine, () => pool.free > 0);
    pool.onChange(() => void this.givenBack.promoteFirst());
  }

  placesOf(queue: string): Places {
    return this.deps.pool.placesOf(queue);
  }

  async handle(delivery: Delivery, task: IsolatedTask, ends: RunEnds): Promise<RunOutcome> {
    const { pool } = this.deps;
    const { interruption, queue } = delivery;
    const { definition } = task;
    if (!pool.isStarted) await pool.startNow();
    let child = pool.take(queue);
    if (!child) return this.giveBack(delivery);
    this.givenBack.remove(delivery.id);
    let deaths = delivery.abandoned;
    let untaken = 0;
    while (child && !interruption.isRequested) {
      const end = await this.runIn(child, delivery, task, ends);
      if (end.kind === 'ended') return ends.journal.ended(delivery, end.outcome);
      if (end.kind === 'stopped')
        return ends.threw({ delivery, definition, thrown: end.reason, interruption: end.reason });
      // The executor settles it again, and takes the stored success in place of this outcome.
      if (delivery.completion?.isUsed && (await delivery.completion.settle())) return COMMITTED;
      const error = new WorkerLostError(`The child process ${child.pid} of the task ${end.how}.`);
      if (end.hasBegun) deaths++;
      else untaken++;
      const final = end.hasBegun && definition.delivery === 'at-most-once' ? lostAtMostOnce(error.message) : undefined;
      if (final || deaths > DEATHS_ALLOWED || untaken > UNTAKEN_ALLOWED) {
        const failure = final ?? failureOf(new WorkerLostError(`${error.message} It is not run again.`));
        return ends.journal.ended(delivery, { kind: 'failed', failure });
      }
      ends.journal.childLost(delivery, error.message);
      child = await pool.takeNext(queue);
    }
    const { reason } = interruption;
    if (interruption.isRequested) return ends.threw({ delivery, definition, thrown: reason, interruption: reason });
    return { kind: 'postponed', delay: 0 };
  }

  private async runIn(
    child: ChildProcess,
    delivery: Delivery,
    { definition }: IsolatedTask,
    { journal }: RunEnds,
  ): Promise<RunEnd> {
    const { pool } = this.deps;
    const { slow } = definition;
    let slowRun: SlowRun | undefined;
    const run = new IsolatedRun(child, this.sentRun(delivery, definition.isolate.memory), delivery, {
      timeout: delivery.options.timeout ?? definition.timeout,
      memory: definition.isolate.memory,
      onStart: () => {
        delivery.started();
        if (slow !== undefined) slowRun ??= new SlowRun(slow, (taken) => journal.slow(delivery, taken, slow));
      },
      onSlowEnd: () => pool.expectEnd(child),
      writeLine: ({ level, text, stack }) => journal.write(level, text, stack),
    });
    try {
      return await run.run();
    } finally {
      slowRun?.end();
      pool.giveBack(child);
    }
  }

  private sentRun(delivery: Delivery, memory: number | undefined): SentRun {
    const { engine, instrumentations } = this.deps;
    const { id, name, queue, args, headers, options, attempt, starts, returns, abandoned, reruns, enqueuedAt, root } =
      delivery;
    const canStoreIn = (dialect: (typeof DIALECTS)[number]) =>
      engine.enqueueIn({ dialect, query: async () => [] }) !== undefined;
    return {
      run: ++this.lastRun,
      delivery: {
        id,
        name,
        queue,
        args,
        headers,
        options,
        attempt,
        starts,
        returns,
        abandoned,
        reruns,
        enqueuedAt,
        root,
      },
      clockOffset: engine.now() - Date.now(),
      memory,
      dialects: DIALECTS.filter(canStoreIn),
      canComplete: delivery.completion !== undefined,
      carried: instrumentations.carry(),
    };
  }

  /** Without a free child, another process may have one. The note makes the engine count this as no start of the task. */
  private giveBack({ id, note }: Delivery): Outcome {
    const delay = this.givenBack.add(id);
    return { kind: 'postponed', delay, note: { ...note, delay: { at: this.deps.engine.now() + delay } } };
  }
}

/** The error of a boot that isolated tasks need and that names no application. */
export function missingApplication(task: TaskDefinition): ConfigurationError {
  return new ConfigurationError(
    `The task "${task.name}" of ${task.origin} is isolated, but nothing names the application that its child processes boot. Set the option of ` +
      "forRoot() isolation: { app: new URL('./app.module.js', import.meta.url) }, in CommonJS isolation: { app: join(__dirname, 'app.module.js') }, " +
      'or run the tasks with the command nestjs-task-queue worker, which knows the module. isolation: false runs isolated tasks in this process.',
  );
}
