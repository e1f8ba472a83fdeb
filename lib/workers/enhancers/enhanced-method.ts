import { types } from 'node:util';
import { ForbiddenException } from '@nestjs/common';
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
import { endsWithin } from '../../concurrency.js';
import { PackageLogger } from '../../package-logger.js';
import { harmless, readable, thrownStack, thrownText } from '../../thrown-text.js';

const guardsConsumer = new GuardsConsumer();
const interceptorsConsumer = new InterceptorsConsumer();

/** Milliseconds that an exception filter has. The attempt has ended, and its task would otherwise never get an outcome. */
const FILTER_LIMIT = 10_000;

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
    private readonly filterLimit = FILTER_LIMIT,
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
    } catch (thrown) {
      const error = harmless(thrown);
      this.context.current()?.methodHasEnded?.();
      const final: unknown = facts.decision ?? (await this.errorAfterFilters(error, args)).error;
      throw facts.refused ? new RefusedCall(final) : final;
    }
  }

  private async runGuards(args: unknown[], facts: CallFacts): Promise<void> {
    const { host, declared } = this.method;
    try {
      if (await guardsConsumer.tryActivate([...this.enhancers.guards], args, host, declared, 'task')) return;
      throw new ForbiddenException(FORBIDDEN_MESSAGE);
    } catch (thrown) {
      const error = harmless(thrown);
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
    } catch (thrown) {
      const error = harmless(thrown);
      facts.decision = isRunDecision(error) ? error : undefined;
      throw error;
    }
  }

  /**
   * The error that the task fails with: the error that a filter threw, else the original error. The return value of a
   * filter is ignored, because it is meant for a client that waits for a response.
   *
   * @returns the error inside of an object, because a thrown value may have a method `then`
   */
  private async errorAfterFilters(error: unknown, args: unknown[]): Promise<{ readonly error: unknown }> {
    const filter = selectExceptionFilterMetadata([...this.enhancers.filters], error);
    if (!filter) return { error };
    const host = new ExecutionContextHost(args, this.method.type, this.method.declared);
    host.setType('task');
    try {
      const handled = Promise.resolve(filter.func(error, host)).then(resultOf);
      if (!(await endsWithin(handled, this.filterLimit))) this.report(`has not ended after ${this.filterLimit} ms`);
      return { error };
    } catch (caught) {
      const translated = harmless(caught);
      if (!isCrash(translated, error)) return { error: translated };
      this.report(
        `crashed: ${thrownText(translated)}. Make the filter check host.getType(): in a task there is no response`,
        thrownStack(translated),
      );
      return { error };
    }
  }

  /** @param what happened to the filter, as a part of a sentence */
  private report(what: string, stack?: string): void {
    const { type, name } = this.method;
    new PackageLogger().error(
      `The original error of the task method ${type.name}.${name} stands, because an exception filter ${what}.`,
      stack,
    );
  }
}

/** The errors that JavaScript itself throws when code has a mistake. */
const OWN_ERRORS = new Set(['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError', 'URIError']);

/** V8's words for a mistake in the code, above all for reading a property of a response that is not there. */
const MISTAKE =
  /^Cannot (?:read|set|destructure|convert|access|use 'in'|assign)|is not (?:a function|defined|iterable|a constructor)|^Assignment to constant|^Maximum call stack|cannot be invoked without 'new'/;

/** The first line of a stack that names a place: inside of Node, or of a function that JavaScript brings. */
const THROWN_INSIDE = /^ {4}at (?:.*\(<anonymous>\)|(?:async )?(?:.*\()?node:)/;

/**
 * Whether a filter crashed instead of translating the error: most filters are written for HTTP, and a task has no
 * response. A filter translates by throwing an error that it has made. So an error that JavaScript or Node made does not count, nor
 * does a promise that is rejected with nothing. A filter that throws such an error on purpose gives it the original error as its
 * `cause`.
 */
function isCrash(thrown: unknown, original: unknown): boolean {
  if (thrown === original) return false;
  if (thrown === undefined || thrown === null) return true;
  if (!types.isNativeError(thrown) || readable(() => thrown.cause) === original) return false;
  const { name = '', message = '', code } = readable(() => fieldsOf(thrown)) ?? {};
  if (typeof code === 'string' && code.startsWith('ERR_')) return true;
  if (THROWN_INSIDE.test(placeOf(thrown))) return true;
  return OWN_ERRORS.has(name) && MISTAKE.test(message);
}

function fieldsOf({ name, message, ...own }: Error & { readonly code?: unknown }) {
  return { name, message, code: own.code };
}

/** The line of the stack that names the place of the throw. */
function placeOf(error: Error): string {
  const stack = thrownStack(error) ?? '';
  return stack.split('\n').find((line) => line.startsWith('    at ')) ?? '';
}
