import type { Delivery, Outcome } from './ports/worker-port.js';
import type { Receipt, TaskCall, TaskTree } from './task.js';

/** Calls that are stored in one step: one call, a bulk, or the tree of a workflow. */
export interface Sending {
  /** The calls, or the roots of trees: see {@link callsOf} for all tasks in them. */
  readonly calls: readonly (TaskCall | TaskTree)[];
  /** Why this package stores the calls by itself; absent when the application stores them. */
  readonly cause?: Cause;
}

/**
 * The tick of a schedule, or the delivery of a task: it leaves later members of a workflow, its callbacks and duties. What the method
 * of a task enqueues has no cause, because the application stores it.
 */
export type Cause = Delivery | 'schedule';

/** Headers that an instrumentation sets on each call of a sending. `undefined` removes a header. */
export type HeaderChanges = Readonly<Record<string, string | undefined>>;

/** How a run of a method ended. `replaced`: another task or workflow takes the place of the task. */
export type AttemptOutcome = Outcome | { readonly kind: 'replaced' };

/**
 * Observes the calls that are stored and the attempts that run, for traces and metrics. Entry points of this package add theirs to
 * {@link Instrumentations}, so that producers and executors know no library for telemetry.
 *
 * An instrumentation calls `store` and `next` exactly once, returns what they return and rejects as they do.
 */
export interface Instrumentation {
  /**
   * Called around the storing of calls.
   *
   * @param store stores the calls with these headers. It gives a receipt for each call; none for the members of a running task,
   * which the engine stores a moment later, together with the outcome of the run
   */
  store?(sending: Sending, store: (headers: HeaderChanges) => Promise<readonly Receipt[]>): Promise<readonly Receipt[]>;
  /**
   * Called around one attempt of a task: around its checks, its guards and its method. A task of a workflow that only waits for its
   * members, gathers their results or calls no method for another reason makes no attempt.
   */
  run?<O extends AttemptOutcome>(delivery: Delivery, next: () => Promise<O>): Promise<O>;
  /** The headers that carry the context of the attempt that runs into the child process which runs its method. */
  carry?(): HeaderChanges;
  /** Calls `next` in the context of the headers of {@link carry}. Called in the child process, around the method. */
  resume?<R>(headers: HeaderChanges, next: () => R): R;
}

/** The instrumentations of one application. They are added while the application boots; the first is the outermost. */
export class Instrumentations {
  private readonly storing: Required<Pick<Instrumentation, 'store'>>[] = [];
  private readonly running: Required<Pick<Instrumentation, 'run'>>[] = [];
  private readonly carrying: Required<Pick<Instrumentation, 'carry' | 'resume'>>[] = [];

  add(one: Instrumentation): void {
    if (one.store) this.storing.push(one as Required<Instrumentation>);
    if (one.run) this.running.push(one as Required<Instrumentation>);
    if (one.carry && one.resume) this.carrying.push(one as Required<Instrumentation>);
  }

  /** Whether nothing observes stored calls: a caller then need not make the arguments of {@link store}. */
  get ignoresCalls(): boolean {
    return this.storing.length === 0;
  }

  /** Whether nothing observes attempts: a caller then need not make the arguments of {@link run}. */
  get ignoresRuns(): boolean {
    return this.running.length === 0;
  }

  /** Stores calls inside of all instrumentations. The headers of an inner one take precedence. */
  store(sending: Sending, store: (headers: HeaderChanges) => Promise<readonly Receipt[]>): Promise<readonly Receipt[]> {
    const from = (index: number, headers: HeaderChanges): Promise<readonly Receipt[]> => {
      const one = this.storing[index];
      return one ? one.store(sending, (more) => from(index + 1, { ...headers, ...more })) : store(headers);
    };
    return from(0, {});
  }

  /** Runs an attempt inside of all instrumentations. */
  run<O extends AttemptOutcome>(delivery: Delivery, run: () => Promise<O>): Promise<O> {
    const from = (index: number): Promise<O> => {
      const one = this.running[index];
      return one ? one.run(delivery, () => from(index + 1)) : run();
    };
    return from(0);
  }

  /** The headers that carry the contexts of all instrumentations into a child process. */
  carry(): HeaderChanges {
    return Object.assign({}, ...this.carrying.map((one) => one.carry())) as HeaderChanges;
  }

  /** Calls `next` in the contexts that {@link carry} gave in the parent process. */
  resume<R>(headers: HeaderChanges, next: () => R): R {
    return this.carrying.reduceRight((inner, one) => () => one.resume(headers, inner), next)();
  }
}

/** All tasks of a sending, those of trees included. */
export function callsOf({ calls }: Pick<Sending, 'calls'>): (TaskCall | TaskTree)[] {
  return calls.flatMap((call) => ('members' in call ? [call, ...callsOf({ calls: call.members })] : [call]));
}
