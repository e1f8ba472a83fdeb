import type { ComponentChildren, JSX } from 'preact';
import { useCallback, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { read, type ApiError } from '../api.js';
import { exact } from '../format.js';
import { changes } from './changes.js';
import { Bones } from './bits.js';
import { Icon } from './icon.js';

export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  /** When the data was read. */
  readonly at: number;
  readonly reload: () => void;
}

/** What came with the page, by address. */
const given = new Map<string, unknown>();
/** Milliseconds for which what came with the page is not read again. */
const GIVEN_FRESH = 5_000;

export function give(resource: readonly string[], query: object, data: unknown): void {
  given.set(JSON.stringify([resource, query]), data);
}

export function forget(): void {
  given.clear();
}

/**
 * Something of the API. It is read again when its address or `version` changes, after a change by this page, and every few seconds
 * while it could not be read. Data stays on the page while newer data is read, and when that fails.
 *
 * @param keep shows the data of the address before until that of a new address is there
 */
export function useResource<T>(
  resource: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
  version: unknown = 0,
  { keep = false } = {},
): Resource<T> {
  const key = JSON.stringify([resource, query]);
  const [state, setState] = useState<{ key: string; data?: T; error?: ApiError; at: number }>(() =>
    given.has(key) ? { key, data: given.get(key) as T, at: Date.now() } : { key, at: 0 },
  );
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  const changed = changes.value;
  const [begun] = useState(() => ({ key, changed, until: given.delete(key) ? Date.now() + GIVEN_FRESH : 0 }));
  const current = useRef(key);
  current.current = key;
  // An effect would begin to read only after the browser has painted the page without the data.
  useLayoutEffect(() => {
    const isFresh = begun.key === key && begun.changed === changed && round === 0;
    if (isFresh && Date.now() < begun.until) return undefined;
    const abort = new AbortController();
    let timer: number | undefined;
    void (async () => {
      try {
        const data = await read<T>(resource, query, abort.signal);
        if (current.current === key) setState({ key, data, at: Date.now() });
      } catch (error) {
        if (abort.signal.aborted) return;
        const failed = error as ApiError;
        setState((before) => ({ ...(before.key === key ? before : { at: 0 }), key, error: failed }));
        if (failed.status === 0 || failed.status >= 500) timer = window.setTimeout(reload, 4_000);
      }
    })();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, version, round, changed]);
  const isCurrent = state.key === key;
  return {
    data: isCurrent || keep ? state.data : undefined,
    error: isCurrent ? state.error : undefined,
    at: state.at,
    reload,
  };
}

/** A part of the page that is being read, could not be read, or is shown. One part that fails never empties the page. */
export function Part<T>({
  of,
  what,
  children,
  rows,
}: {
  of: Resource<T>;
  what: string;
  children: (data: T) => ComponentChildren;
  rows?: number;
}): JSX.Element {
  const { data, error, at, reload } = of;
  return (
    <>
      {error && (
        <div class="notice bad" role="alert">
          <Icon name="fail" />
          <span class="grow">
            <strong>{what} could not be read.</strong> {error.message}{' '}
            {data !== undefined && `The page shows ${exact(at)}.`}
          </span>
          <button type="button" class="tiny" onClick={reload}>
            Try now
          </button>
        </div>
      )}
      {data === undefined ? !error && <Bones {...(rows !== undefined && { rows })} /> : children(data)}
    </>
  );
}
