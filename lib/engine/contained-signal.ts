import { isThenable } from '../not-a-promise.js';

type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };
type Options = Parameters<AbortSignal['addEventListener']>[2];

/**
 * Keeps an error that a listener of a signal throws away from the process: Node reports it as an uncaught exception, which
 * ends the worker with all its tasks. `onError` gets it instead, also when the listener returns a promise that rejects.
 *
 * Only `addEventListener` and `onabort` of this one signal are changed; see contained-abort.ts for those that are derived from it.
 */
export function containListeners(signal: AbortSignal, onError: (error: unknown) => void): AbortSignal {
  const contained = new WeakMap<object, (event: Event) => void>();
  const contain = (listener: Listener): ((event: Event) => void) => {
    let wrapped = contained.get(listener);
    if (!wrapped) {
      wrapped = (event) => {
        try {
          const returned: unknown =
            typeof listener === 'function' ? listener.call(signal, event) : listener.handleEvent(event);
          if (isThenable(returned)) Promise.resolve(returned).catch(onError);
        } catch (error) {
          onError(error);
        }
      };
      contained.set(listener, wrapped);
    }
    return wrapped;
  };
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  let onabort: ((event: Event) => unknown) | null = null;
  return Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: Listener | null, options?: Options) => {
        if (listener) add(type, contain(listener), options);
      },
    },
    removeEventListener: {
      value: (type: string, listener: Listener | null, options?: Options) => {
        const wrapped = listener && contained.get(listener);
        if (wrapped) remove(type, wrapped, options);
      },
    },
    onabort: {
      get: () => onabort,
      set: (listener: ((event: Event) => unknown) | null) => {
        if (onabort) remove('abort', contain(onabort));
        onabort = typeof listener === 'function' ? listener : null;
        if (onabort) add('abort', contain(onabort));
      },
    },
  });
}
