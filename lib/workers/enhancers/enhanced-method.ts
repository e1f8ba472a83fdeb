import { ForbiddenException } from '@nestjs/common';
import { selectExceptionFilterMetadata } from '@nestjs/common/internal';
import { ExecutionContextHost, FORBIDDEN_MESSAGE, GuardsConsumer, InterceptorsConsumer } from '@nestjs/core/internal';
import type { TaskInvoker } from '../../tasks/task-registry.js';
import { isRunDecision, type RunDecision } from '../run-decisions.js';
import type { TaskContext } from '../task-context.js';
import type { Enhancers } from './enhancers.js';
import { isRefusal, isRefusedBy, RefusedCall } from './refused-call.js';
import { endWithRun, resultOf } from './observable-result.js';
import { provideTaskContext } from './task-execution-context.js';
import type { TaskMethod } from './task-method.js';

const guardsConsumer = new GuardsConsumer();
const interceptorsConsumer = new InterceptorsConsumer();

/** Facts of one call that stay true whatever an interceptor or filter makes of the error. */
interface CallFacts {
  /** Whether a guard or a pipe refused the call. */
  refused: boolean;
  /** `TaskContext.retry()`, `fail()` or `replaceWith()`. */
  decision: RunDecision | undefined;
}

/** A task's method with its enhancers around it: guards, then interceptors, then pipes, then the method; filters last. */
export class EnhancedMethod implements TaskInvoker {
  constructor(
    private readonly method: TaskMethod,
    private readonly enhancers: Enhancers,
    private readonly context: TaskContext,
  ) {}

  /** @throws RefusedCall when a guard or a pipe refused; else the method's error, or the error a filter threw instead */
  async invoke(given: readonly unknown[]): Promise<unknown> {
    // One list for all enhancers, by which they know the run. What an interceptor writes into it reaches the method.
    const args = [...given];
    provideTaskContext(args, this.context);
    const facts: CallFacts = { refused: false, decision: undefined };
    try {
      if (this.enhancers.guards.length > 0) await this.passGuards(args, facts);
      const returned = await resultOf(await this.intercepted(args, facts));
      if (facts.decision) throw facts.decision;
      return returned;
    } catch (error) {
      const final = facts.decision ?? (await this.filtered(error, args));
      throw facts.refused ? new RefusedCall(final) : final;
    }
  }

  private async passGuards(args: unknown[], facts: CallFacts): Promise<void> {
    const { instance, declared } = this.method;
    try {
      if (await guardsConsumer.tryActivate([...this.enhancers.guards], args, instance, declared, 'task')) return;
      throw new ForbiddenException(FORBIDDEN_MESSAGE);
    } catch (error) {
      facts.refused = isRefusal(error);
      facts.decision = isRunDecision(error) ? error : undefined;
      throw error;
    }
  }

  private intercepted(args: unknown[], facts: CallFacts): Promise<unknown> {
    const { interceptors } = this.enhancers;
    if (interceptors.length === 0) return this.callMethod(args, facts);
    const { instance, declared } = this.method;
    return interceptorsConsumer.intercept(
      [...interceptors],
      args,
      instance,
      declared,
      () => this.callMethod(args, facts),
      'task',
    );
  }

  /** An interceptor may call the method several times: the facts of the last call count. */
  private async callMethod(args: readonly unknown[], facts: CallFacts): Promise<unknown> {
    const { pipes } = this.enhancers;
    facts.refused = false;
    facts.decision = undefined;
    const failed = (error: unknown, pipe: Parameters<typeof isRefusedBy>[0]) => {
      facts.refused ||= isRefusedBy(pipe, error);
    };
    try {
      const piped = pipes.isEmpty ? args : await pipes.apply(args, failed);
      return endWithRun(this.context.current(), await this.method.call(piped));
    } catch (error) {
      facts.decision = isRunDecision(error) ? error : undefined;
      throw error;
    }
  }

  /** The error that the task fails with: the one a filter threw, else the original. A filter's return value is for clients. */
  private async filtered(error: unknown, args: unknown[]): Promise<unknown> {
    const filter = selectExceptionFilterMetadata([...this.enhancers.filters], error);
    if (!filter) return error;
    const host = new ExecutionContextHost(args, this.method.instance.constructor as never, this.method.declared);
    host.setType('task');
    try {
      await resultOf(await filter.func(error, host));
      return error;
    } catch (translated) {
      return translated;
    }
  }
}
