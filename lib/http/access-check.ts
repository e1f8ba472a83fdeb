import { HttpException, type OnModuleDestroy } from '@nestjs/common';
import { isObservable, lastValueFrom, map, Subject, takeUntil } from 'rxjs';
import type { TaskRecord } from '../engine/task.js';
import { toStatus } from '../results/task-status.js';
import type { HttpRequest, ResolvedHttpOptions } from './http-options.js';
import { PackageLogger } from '../package-logger.js';
import { thrownStack, thrownText } from '../thrown-text.js';

/** Milliseconds that an unanswered call of `authorize` has left once the application closes. */
const CLOSING_LIMIT = 250;

type AccessOptions = Pick<ResolvedHttpOptions, 'authorize' | 'authorizeLimit'>;

/**
 * Asks the option `authorize` whether a request may see a task. The task is hidden unless the answer is exactly `true`:
 * an application that returns something else by mistake shows too little and never too much.
 */
export class AccessCheck implements OnModuleDestroy {
  private readonly logger = new PackageLogger();
  private readonly unanswered = new Set<UnansweredCall>();
  private closing = false;

  constructor(private readonly options: false | AccessOptions) {}

  /** Resolves with `false` also when `authorize` throws or does not answer in time. Never rejects. */
  async maySee(request: HttpRequest, record: TaskRecord): Promise<boolean> {
    if (!this.options) return false;
    const { authorize } = this.options;
    if (!authorize) return true;
    try {
      // The return type is a promise of the application, which JavaScript does not check.
      const answer: unknown = authorize(request, toStatus(record), record.headers);
      if (typeof answer !== 'object' || answer === null) return answer === true;
      return (await this.inTime(answer, record, this.options.authorizeLimit)) === true;
    } catch (error) {
      // An HttpException is a deliberate refusal. Any other error is a fault, and only this line reports it.
      if (!(error instanceof HttpException)) {
        this.logger.error(
          `http.authorize failed for task ${record.name} (${record.id})`,
          thrownStack(error) ?? thrownText(error),
        );
      }
      return false;
    }
  }

  /** Shortens the time of all unanswered calls, because the server closes only once their requests are answered. */
  onModuleDestroy(): void {
    this.closing = true;
    for (const call of this.unanswered) call.limit(CLOSING_LIMIT);
  }

  private async inTime(answer: object, { id, name }: TaskRecord, limit: number): Promise<unknown> {
    const call = new UnansweredCall(() => {
      this.logger.warn(`http.authorize did not answer in time for task ${name} (${id}), so the endpoint answers 404.`);
    });
    this.unanswered.add(call);
    call.limit(this.closing ? Math.min(limit, CLOSING_LIMIT) : limit);
    try {
      return await call.answerOf(answer);
    } finally {
      call.end();
      this.unanswered.delete(call);
    }
  }
}

/** A call of `authorize` that returned a promise or an Observable. */
class UnansweredCall {
  private readonly timeIsUp = new Subject<void>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onLimit: () => void) {}

  /** Resolves with `false` when the time is up first, and for an Observable without a value. */
  answerOf(answer: object): Promise<unknown> {
    const refusal = new Promise<false>((resolve) => this.timeIsUp.subscribe(() => resolve(false)));
    // As in Nest's guards, the last value of an Observable counts. A promise as that value must not be awaited.
    const value: unknown = isObservable(answer)
      ? lastValueFrom(answer.pipe(map(isTrue), takeUntil(this.timeIsUp)), { defaultValue: false })
      : answer;
    // The refusal is first: an Observable that ends because the time is up would otherwise resolve with its last value.
    return Promise.race([refusal, value]);
  }

  /** @param milliseconds from now */
  limit(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.onLimit();
      this.timeIsUp.next();
    }, milliseconds);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

function isTrue(value: unknown): boolean {
  return value === true;
}
