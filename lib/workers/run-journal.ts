import { isCancellation, isExpiry } from '../engine/failures.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import type { TaskFailure } from '../engine/task.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import { toFailure } from './failure.js';
import { OnceInAWhile } from '../once-in-a-while.js';
import { PackageLogger } from '../package-logger.js';

/** Milliseconds after which another task of the same unknown name is logged. */
const REPEAT_AFTER = 60_000;
/** Unknown names that are told apart in this time. Any client of the store may enqueue tasks of any names. */
const MOST_UNKNOWN = 100;

type Run = Pick<Delivery, 'id' | 'name' | 'attempt'>;

/** Writes the log lines about runs. */
export class RunJournal {
  private readonly logger = new PackageLogger();
  private readonly unknownNames = new OnceInAWhile(REPEAT_AFTER, MOST_UNKNOWN);

  /** Logs the end of an attempt that did not succeed. @returns the outcome */
  ended<O extends RunOutcome>(run: Run, outcome: O): O {
    if (outcome.kind === 'retry') {
      const { failure, delay } = outcome;
      this.write('warn', `${describe(run)} failed in attempt ${run.attempt}, next in ${delay} ms: ${failure.message}`);
    } else if (outcome.kind === 'failed') {
      this.failed(run, outcome.failure);
    }
    return outcome;
  }

  /** The task had stored its success in its own transaction. */
  succeededAnyway(run: Run): void {
    this.write('warn', `${describe(run)} has succeeded all the same: its transaction with completeIn() has committed.`);
  }

  slow(run: Run, taken: number, slow: number): void {
    this.write(
      'warn',
      `${describe(run)} is slow: attempt ${run.attempt} has taken ${taken} ms so far (slow: ${slow} ms).`,
    );
  }

  /** Logs the first task of each name, and then one a minute: other applications may enqueue many. */
  unknown(run: Run, delay: number): void {
    if (!this.unknownNames.isDue(run.name)) return;
    this.write(
      'warn',
      `No provider of this process declares ${describe(run)}; it is put back for ${delay} ms. Further tasks of this name are logged once a minute.`,
    );
  }

  predicateThrew({ name, id }: Run, error: unknown): void {
    const { message, stack } = toFailure(error);
    this.write(
      'error',
      `retryOn or giveUpOn of task ${name} threw (${message}), so task ${id} is retried as if it allowed that. A predicate has to handle every error.`,
      stack,
    );
  }

  listenerThrew(run: Run, error: unknown): void {
    const { message, stack } = toFailure(error);
    this.write('error', `A listener on the signal of ${describe(run)} threw: ${message}`, stack);
  }

  /** The method did not wait for its last report. */
  reportRefused(run: Run, error: unknown): void {
    const { message, stack } = toFailure(error);
    this.write('error', `A progress report of ${describe(run)} was not stored: ${message}`, stack);
  }

  /** @param what what happened to the child process of an isolated task, as a sentence */
  childLost(run: Run, what: string): void {
    this.write('warn', `${describe(run)} runs once more in another child process. ${what}`);
  }

  /** The code that blocked the event loop may be another task of this process. */
  timedOutLate(run: Run, taken: number, timeout: number): void {
    this.write(
      'warn',
      `${describe(run)} ends after ${taken} ms because of its timeout of ${timeout} ms: code that computed without a pause blocked ` +
        'the event loop, and no timeout can stop such code inside its process. Let the method await between its steps, or give ' +
        'the computation isolation: @Task({ isolate: true }) runs it in a child process, which a timeout can end.',
    );
  }

  /** One line for each end without success. Its level says who caused it: a caller, the circumstances, or the task. */
  private failed(run: Run, failure: TaskFailure): void {
    const { message, stack } = failure;
    if (isCancellation(failure)) this.write('log', `${describe(run)} was cancelled: ${message}`);
    else if (isExpiry(failure)) this.write('warn', `${describe(run)} expired: ${message}`);
    // An error that was written for callers is more often their mistake than the application's, and needs no stack.
    else if (failure.exposable) this.write('warn', `${describe(run)} failed: ${message}`);
    else this.write('error', `${describe(run)} failed: ${message}`, stack);
  }

  /** Writes a line as it is. */
  write(level: 'log' | 'warn' | 'error', message: string, stack?: string): void {
    if (level === 'error') this.logger.error(message, stack);
    else this.logger[level](message);
  }
}

function describe({ name, id }: Run): string {
  return `Task ${name} (${id})`;
}
