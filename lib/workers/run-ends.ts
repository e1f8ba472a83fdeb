import { sizeBeyond, toJson, type Json } from '../engine/json.js';
import type { Delivery, Outcome } from '../engine/ports/worker-port.js';
import { PayloadTooLargeError } from '../errors.js';
import { harmless } from '../thrown-text.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import { outcomeOfError, type FailedRun } from './error-to-outcome.js';
import { toFailure } from './failure.js';
import type { RunJournal } from './run-journal.js';

/** Makes the outcome of an attempt from what its method returned or threw, and logs the ends without success. */
export class RunEnds {
  /** @param maxPayload bytes of JSON of a result or a progress report */
  constructor(
    readonly journal: RunJournal,
    private readonly maxPayload: number,
  ) {}

  returned(delivery: Delivery, value: unknown, { ignoreResult }: TaskDefinition): Outcome {
    if (ignoreResult || value === undefined) return { kind: 'succeeded', result: undefined };
    try {
      return { kind: 'succeeded', result: this.checked(value, 'result', 'The result') };
    } catch (error) {
      // Another attempt would do its work again only to return the same value.
      return this.journal.ended(delivery, { kind: 'failed', failure: toFailure(error) });
    }
  }

  /** Whatever a thrown value does when it is looked at, the run has an outcome. */
  threw(run: Omit<FailedRun, 'onPredicateError'>): RunOutcome {
    const { delivery } = run;
    const onPredicateError = (error: unknown) => this.journal.predicateThrew(delivery, error);
    try {
      return this.journal.ended(delivery, outcomeOfError({ ...run, thrown: harmless(run.thrown), onPredicateError }));
    } catch (error) {
      return this.journal.ended(delivery, { kind: 'failed', failure: toFailure(error) });
    }
  }

  /**
   * A value in its JSON form.
   *
   * @throws NotSerializableError, PayloadTooLargeError
   */
  checked(value: unknown, path: string, what: string): Json {
    const json = toJson(value, path);
    const size = sizeBeyond(json, this.maxPayload);
    if (size !== undefined) throw new PayloadTooLargeError(what, size, this.maxPayload);
    return json;
  }
}
