/**
 * Aborts a signal, and keeps errors of listeners of signals that were derived from it away from the process.
 *
 * {@link containListeners} contains the listeners of one signal. A task derives others from it: `AbortSignal.any([signal])`, a controller
 * of its own. Node calls their listeners inside of `abort()`, and throws their errors again with `process.nextTick()`, where
 * they are uncaught exceptions, which end the worker with all its tasks. So each callback that is given to `process.nextTick()` during
 * this call hands its error to `onError`. The rejection of an asynchronous listener comes later, and is not contained;
 * Node makes one of each object with `handleEvent()`, too.
 */
export function abortContained(controller: AbortController, reason: unknown, onError: (error: unknown) => void): void {
  const { nextTick } = process;
  let isAborting = true;
  const contained = (callback: (...args: unknown[]) => void, ...args: unknown[]): void => {
    const tick = isAborting && typeof callback === 'function' ? contain(callback, onError) : callback;
    Reflect.apply(nextTick, process, [tick, ...args]);
  };
  // Not an assignment: it throws where the application has frozen the object.
  Reflect.set(process, 'nextTick', contained);
  try {
    controller.abort(reason);
  } finally {
    isAborting = false;
    // A listener may have replaced it, for example by that of fake timers.
    if (process.nextTick === contained) Reflect.set(process, 'nextTick', nextTick);
  }
}

function contain<A extends unknown[]>(
  callback: (...args: A) => void,
  onError: (error: unknown) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      callback(...args);
    } catch (error) {
      onError(error);
    }
  };
}
