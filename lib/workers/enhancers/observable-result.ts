import { from, isObservable, lastValueFrom, Observable, takeUntil } from 'rxjs';
import type { Interruption } from '../../engine/interruption.js';

/**
 * The result of a method, interceptor or filter. Of an Observable it is the last value, or `undefined` when the
 * Observable completes without a value.
 */
export function resultOf(returned: unknown): unknown {
  return isObservable(returned) ? lastValueFrom(returned, { defaultValue: undefined }) : returned;
}

/**
 * Makes an Observable end with its run. When the run's signal is aborted, the Observable fails with the signal's
 * reason, and the subscription to the method's own Observable ends.
 */
export function endWithRun(run: { readonly interruption: Interruption } | undefined, returned: unknown): unknown {
  if (!isObservable(returned) || !run) return returned;
  // `from` accepts an Observable of another copy of rxjs.
  return from(returned).pipe(takeUntil(failOnAbort(run.interruption.signal)));
}

function failOnAbort(signal: AbortSignal): Observable<never> {
  return new Observable((subscriber) => {
    const fail = () => subscriber.error(signal.reason);
    if (signal.aborted) return fail();
    signal.addEventListener('abort', fail, { once: true });
    return () => signal.removeEventListener('abort', fail);
  });
}
