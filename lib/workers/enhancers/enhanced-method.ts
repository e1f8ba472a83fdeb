import { ForbiddenException, Logger } from '@nestjs/common';
import { selectExceptionFilterMetadata } from '@nestjs/common/utils/select-exception-filter-metadata.util.js';
import { FORBIDDEN_MESSAGE } from '@nestjs/core/guards/constants.js';
import { GuardsConsumer } from '@nestjs/core/guards/guards-consumer.js';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { InterceptorsConsumer } from '@nestjs/core/interceptors/interceptors-consumer.js';
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

/** Facts of one call. They stay true when an interceptor or a filter replaces the error. */
interface CallFacts {
  /** Whether a guard or a pipe refused the call. */
  refused: boolean;
  /** Set when a guard, a pipe or the method called `TaskContext.retry()`, `fail()` or `replaceWith()`. */
  decision: RunDecision | undefined;
}

/**
 * Calls a task's method with its enhancers: guards, then interceptors, then pipes, then the method. Filters run last,
 * when an error was thrown.
 *
 * Unlike Nest's `ExternalContextCreator`, it keeps the decisions of the method from interceptors and filters, and a
 * task that failed stays failed whatever a filter returns. `EnhancerReader` has the whole list of differences.
 */
export class EnhancedMethod implements TaskInvoker {
  constructor(
    private readonly method: TaskMethod,
    private readonly enhancers: Enhancers,
    private readonly context: TaskContext,
  ) {}

  /**
   * @throws RefusedCall when a guard or a pipe refused the call
   * @throws the error of the method, or the error that a filter threw instead
   */
  async invoke(given: readonly unknown[]): Promise<unknown> {
    // All enhancers get the same list, by which `getTaskContext()` finds the run. An interceptor may change the list,
    // and the method then gets the changed arguments.
    const args = [...given];
    provideTaskContext(args, this.context);
    const facts: CallFacts = { refused: false, decision: undefined };
    try {
      if (this.enhancers.guards.length > 0) await this.runGuards(args, facts);
      const returned = await resultOf(await this.runInterceptors(args, facts));
      if (facts.decision) throw facts.decision;
      return returned;
    } catch (error) {
      const final = facts.decision ?? (await this.errorAfterFilters(error, args));
      throw facts.refused ? new RefusedCall(final) : final;
    }
  }

  private async runGuards(args: unknown[], facts: CallFacts): Promise<void> {
    const { host, declared } = this.method;
    try {
      if (await guardsConsumer.tryActivate([...this.enhancers.guards], args, host, declared, 'task')) return;
      throw new ForbiddenException(FORBIDDEN_MESSAGE);
    } catch (error) {
      facts.refused = isRefusal(error);
      facts.decision = isRunDecision(error) ? error : undefined;
      throw error;
    }
  }

  private runInterceptors(args: unknown[], facts: CallFacts): Promise<unknown> {
    const { interceptors } = this.enhancers;
    if (interceptors.length === 0) return this.callMethod(args, facts);
    const { host, declared } = this.method;
    return interceptorsConsumer.intercept(
      [...interceptors],
      args,
      host,
      declared,
      () => this.callMethod(args, facts),
      'task',
    );
  }

  /** An interceptor may call the method several times. The facts of the last call count. */
  private async callMethod(args: readonly unknown[], facts: CallFacts): Promise<unknown> {
    const { pipes } = this.enhancers;
    facts.refused = false;
    facts.decision = undefined;
    const onPipeError = (error: unknown, pipe: Parameters<typeof isRefusedBy>[0]) => {
      facts.refused ||= isRefusedBy(pipe, error);
    };
    try {
      const piped = pipes.isEmpty ? args : await pipes.apply(args, onPipeError);
      return endWithRun(this.context.current(), await this.method.call(piped));
    } catch (error) {
      facts.decision = isRunDecision(error) ? error : undefined;
      throw error;
    }
  }

  /**
   * The error that the task fails with: the error that a filter threw, else the original error. The return value of a
   * filter is ignored, because it is meant for a client that waits for a response.
   */
  private async errorAfterFilters(error: unknown, args: unknown[]): Promise<unknown> {
    const filter = selectExceptionFilterMetadata([...this.enhancers.filters], error);
    if (!filter) return error;
    const host = new ExecutionContextHost(args, this.method.type, this.method.declared);
    host.setType('task');
    try {
      await resultOf(await filter.func(error, host));
      return error;
    } catch (translated) {
      if (!isCrash(translated, error)) return translated;
      new Logger('TaskQueue').error(
        `An exception filter crashed in task method ${this.method.type.name}.${this.method.name}, so the original ` +
          `error stands. Make the filter check host.getType(): in a task there is no response. (${translated.message})`,
        translated.stack,
      );
      return error;
    }
  }
}

/** V8's words for a mistake in the code, above all for reading a property of a response that is not there. */
const MISTAKE =
  /^Cannot (?:read|set|destructure|convert|access|use 'in')|is not (?:a function|defined|iterable|a constructor)/;

/**
 * Whether a filter crashed instead of translating the error: most filters are written for HTTP, and a task has no
 * response. A filter that throws such an error on purpose gives it the original error as its `cause`.
 */
function isCrash(thrown: unknown, original: unknown): thrown is Error {
  if (!(thrown instanceof Error) || thrown === original || thrown.cause === original) return false;
  return (thrown.name === 'TypeError' || thrown.name === 'ReferenceError') && MISTAKE.test(thrown.message);
}
