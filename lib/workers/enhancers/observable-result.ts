import { from, isObservable, lastValueFrom, Observable, takeUntil } from 'rxjs';
import type { Interruption } from '../../engine/interruption.js';

/** The result of a method, interceptor or filter: of an Observable its last value, `undefined` if it had none. */
export function resultOf(returned: unknown): unknown {
  return isObservable(returned) ? lastValueFrom(returned, { defaultValue: undefined }) : returned;
}

/** Makes an Observable end with its run: it fails with the signal's reason, and is unsubscribed from, once that is aborted. */
export function endWithRun(run: { readonly interruption: Interruption } | undefined, returned: unknown): unknown {
  if (!isObservable(returned) || !run) return returned;
  // `from`, because the Observable may come from another copy of rxjs.
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
