import { parseDuration } from '../../duration.js';
import type { Headers } from '../../engine/task.js';
import type { BatchCall } from '../../tasks/task-batch.js';
import { thrownText } from '../../thrown-text.js';
import { NoMoreAttempts, RunAgainLater } from '../run-decisions.js';
import type { BatchMember } from './batch-member.js';

/** A call as the method of its batch gets it. It is made when the batch begins, because guards and pipes may change the arguments. */
export class BatchMemberCall implements BatchCall {
  readonly id: string;
  readonly args: readonly unknown[];
  readonly headers: Headers;
  readonly attempt: number;
  readonly fail: BatchCall['fail'];
  readonly retry: BatchCall['retry'];
  readonly #member: BatchMember;

  constructor(member: BatchMember) {
    const { id, headers, attempt, item } = member.delivery;
    // The items of a map are calls of one task, and a method may store their rows under their ids.
    this.id = item === undefined ? id : `${id}:${item}`;
    this.args = member.args;
    this.headers = headers;
    this.attempt = attempt;
    // One call must not make its batch fail, whatever its error does when it is looked at.
    this.fail = (error) =>
      member.decide(
        typeof error === 'string' ? new NoMoreAttempts(error) : new NoMoreAttempts(thrownText(error), { error }),
      );
    this.retry = ({ in: delay }) => member.decide(new RunAgainLater(parseDuration(delay, 'retry({ in })')));
    this.#member = member;
  }

  get signal(): AbortSignal {
    return this.#member.limit.interruption.signal;
  }
}
