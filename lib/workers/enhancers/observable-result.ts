import { from, isObservable, lastValueFrom, Observable, takeUntil } from 'rxjs';
import type { Interruption } from '../../engine/interruption.js';

/** What a method, interceptor or filter returned, come true: of an Observable the last value, `undefined` if it had none. */
export function settle(returned: unknown): unknown {
  return isObservable(returned) ? lastValueFrom(returned, { defaultValue: undefined }) : returned;
}

/** An Observable of a task is unsubscribed from, and fails with the signal's reason, once its run is to end. */
export function endWith(run: { readonly interruption: Interruption } | undefined, returned: unknown): unknown {
  if (!isObservable(returned) || !run) return returned;
  // `from`, for it may be of another copy of rxjs.
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
