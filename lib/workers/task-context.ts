import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { parseDuration, type Duration } from '../duration.js';
import type { Headers } from '../engine/task.js';
import type { Interruption } from '../engine/interruption.js';
import type { Json } from '../engine/json.js';
import type { Signature } from '../workflows/signature.js';
import { BecomeAnother, NoMoreAttempts, RunAgainLater } from './run-decisions.js';

/** One running attempt. */
export interface TaskRun {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly enqueuedAt: number;
  readonly headers: Headers;
  readonly interruption: Interruption;
  readonly deadline: Date | undefined;
  progress(value: unknown): Promise<void>;
  log(line: string): Promise<void>;
}

/**
 * The task that is running, to be injected anywhere: each run sees its own, also in what it awaits.
 *
 * @example
 * constructor(private readonly task: TaskContext) {}
 */
@Injectable()
export class TaskContext {
  readonly #storage = new AsyncLocalStorage<TaskRun>();

  get id(): string {
    return this.#run.id;
  }

  get name(): string {
    return this.#run.name;
  }

  get queue(): string {
    return this.#run.queue;
  }

  /** 1 for the first. */
  get attempt(): number {
    return this.#run.attempt;
  }

  /** Attempts in all, the first included. */
  get maxAttempts(): number {
    return this.#run.maxAttempts;
  }

  get enqueuedAt(): Date {
    return new Date(this.#run.enqueuedAt);
  }

  get headers(): Headers {
    return this.#run.headers;
  }

  /**
   * Aborted when the run should end: cancelled, out of time, or the process closes; `signal.reason` tells which. Hand it
   * to `fetch` and the like, and call `signal.throwIfAborted()` in loops.
   */
  get signal(): AbortSignal {
    return this.#run.interruption.signal;
  }

  /** When this attempt's time limit is over; `undefined` without a limit. */
  get deadline(): Date | undefined {
    return this.#run.deadline;
  }

  /** Reports how far the task is. @example await this.task.progress(page, pages, 'rendering') */
  progress(current: number, total: number, message?: string): Promise<void>;
  /** Reports any JSON. @throws NotSerializableError */
  progress(value: Json): Promise<void>;
  async progress(value: Json, total?: number, message?: string): Promise<void> {
    const report = total === undefined ? value : { current: value, total, ...(message !== undefined && { message }) };
    await this.#run.progress(report);
  }

  /** Adds a line to the task's log, which the engine keeps with it. */
  async log(line: string): Promise<void> {
    await this.#run.log(line);
  }

  /**
   * Ends this attempt and has the task run again after `in`, without using up an attempt: for a source that is not ready
   * yet, a limit of somebody else's. Throws, so nothing after it runs.
   *
   * @example if (response.status === 429) this.task.retry({ in: '30s' });
   */
  retry({ in: delay }: { in: Duration }): never {
    throw new RunAgainLater(parseDuration(delay, 'retry({ in })'));
  }

  /**
   * Ends the task as failed, whatever attempts are left. Its message is meant for callers, so HTTP shows it in production
   * too. Throws, so nothing after it runs.
   *
   * @example this.task.fail('The card was declined.');
   */
  fail(message: string): never {
    throw new NoMoreAttempts(message);
  }

  /**
   * Ends this run and lets another task or workflow take its place: the task waits for it, without holding a place in
   * the worker, and takes over its result. Throws, so nothing after it runs.
   *
   * @example this.task.replaceWith(group(pages.map((page) => this.reports.render.signature(page))));
   */
  replaceWith(signature: Signature<void>): never {
    throw new BecomeAnother(signature);
  }

  /** The run around the caller; `undefined` outside of one. @internal */
  current(): TaskRun | undefined {
    return this.#storage.getStore();
  }

  /** @internal */
  run<T>(run: TaskRun, body: () => T): T {
    return this.#storage.run(run, body);
  }

  get #run(): TaskRun {
    const run = this.current();
    if (run) return run;
    throw new Error(
      'There is no task running here: TaskContext is valid inside a task only. A task called as an ordinary method, ' +
        'or work that a task left behind without awaiting it, has no context.',
    );
  }
}
