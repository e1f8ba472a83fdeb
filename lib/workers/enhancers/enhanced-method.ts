import { ForbiddenException } from '@nestjs/common';
import { selectExceptionFilterMetadata } from '@nestjs/common/internal';
import { ExecutionContextHost, FORBIDDEN_MESSAGE, GuardsConsumer, InterceptorsConsumer } from '@nestjs/core/internal';
import { BecomeAnother, NoMoreAttempts, RunAgainLater, type TaskContext } from '../task-context.js';
import type { Enhancers } from './enhancers.js';
import { isRefusal, isRefusedBy, RefusedCall } from './refused-call.js';
import { endWith, settle } from './observable-result.js';
import { provideTaskContext } from './task-execution-context.js';
import type { TaskMethod } from './task-method.js';

const guardsConsumer = new GuardsConsumer();
const interceptorsConsumer = new InterceptorsConsumer();

/** What came to light during one call, and stays true whatever an interceptor or filter makes of the error. */
interface Course {
  /** Whether a guard or a pipe refused. */
  refused: boolean;
  /** `TaskContext.retry()`, `fail()` or `replaceWith()`. */
  decision: RunAgainLater | NoMoreAttempts | BecomeAnother | undefined;
}

/** A task's method with its enhancers around it: guards, then interceptors, then pipes, then the method; filters last. */
export class EnhancedMethod {
  constructor(
    private readonly method: TaskMethod,
    private readonly enhancers: Enhancers,
    private readonly context: TaskContext,
  ) {}

  /** @throws RefusedCall when a guard or a pipe refused; else what the method threw, or what a filter threw instead */
  async call(given: readonly unknown[]): Promise<unknown> {
    // One list for all, which they know the run by. What an interceptor puts into it is what the method gets.
    const args = [...given];
    provideTaskContext(args, this.context);
    const course: Course = { refused: false, decision: undefined };
    try {
      if (this.enhancers.guards.length > 0) await this.passGuards(args, course);
      const returned = await settle(await this.intercepted(args, course));
      if (course.decision) throw course.decision;
      return returned;
    } catch (error) {
      const final = course.decision ?? (await this.filtered(error, args));
      throw course.refused ? new RefusedCall(final) : final;
    }
  }

  private async passGuards(args: unknown[], course: Course): Promise<void> {
    const { instance, declared } = this.method;
    try {
      if (await guardsConsumer.tryActivate([...this.enhancers.guards], args, instance, declared, 'task')) return;
      throw new ForbiddenException(FORBIDDEN_MESSAGE);
    } catch (error) {
      course.refused = isRefusal(error);
      course.decision = decisionOf(error);
      throw error;
    }
  }

  private intercepted(args: unknown[], course: Course): Promise<unknown> {
    const { interceptors } = this.enhancers;
    if (interceptors.length === 0) return this.invoke(args, course);
    const { instance, declared } = this.method;
    return interceptorsConsumer.intercept(
      [...interceptors],
      args,
      instance,
      declared,
      () => this.invoke(args, course),
      'task',
    );
  }

  /** An interceptor may do this several times: only the last time counts. */
  private async invoke(args: readonly unknown[], course: Course): Promise<unknown> {
    const { pipes } = this.enhancers;
    course.refused = false;
    course.decision = undefined;
    const failed = (error: unknown, pipe: Parameters<typeof isRefusedBy>[0]) => {
      course.refused ||= isRefusedBy(pipe, error);
    };
    try {
      const piped = pipes.isEmpty ? args : await pipes.apply(args, failed);
      return endWith(this.context.current(), await this.method.call(piped));
    } catch (error) {
      course.decision = decisionOf(error);
      throw error;
    }
  }

  /** What the task fails with: what a filter threw, else the error itself, for a filter's return value is for clients. */
  private async filtered(error: unknown, args: unknown[]): Promise<unknown> {
    const filter = selectExceptionFilterMetadata([...this.enhancers.filters], error);
    if (!filter) return error;
    const host = new ExecutionContextHost(args, this.method.instance.constructor as never, this.method.declared);
    host.setType('task');
    try {
      await settle(await filter.func(error, host));
      return error;
    } catch (translated) {
      return translated;
    }
  }
}

function decisionOf(error: unknown): Course['decision'] {
  return error instanceof RunAgainLater || error instanceof NoMoreAttempts || error instanceof BecomeAnother
    ? error
    : undefined;
}
