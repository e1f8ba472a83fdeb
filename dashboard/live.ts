import { computed, effect, signal } from '@preact/signals';
import type { Overview, TaskRow } from '../lib/dashboard/api/api-types.js';
import { place } from './router.js';
import { root } from './settings.js';

/** What the server last told about the store as a whole. */
export const overview = signal<Overview | undefined>(undefined);
/** Whether events arrive. */
export const isLive = signal(true);
/** Why the store could not be read; `undefined` when it could. */
export const storeError = signal<string | undefined>(undefined);
/** The time in milliseconds, for ages: one clock for the whole page, by the store's clock. */
export const now = signal(Date.now());
/** The newest statuses of the tasks that the page watches; `null` for a task that was removed. */
export const statuses = signal<ReadonlyMap<string, TaskRow | null>>(new Map());

/** Bulk acts that run, and tasks that a view shows. */
const watchedByActs = signal<readonly string[]>([]);
const watchedByView = signal<readonly string[]>([]);
const watched = computed(() => [...new Set([...watchedByView.value, ...watchedByActs.value])].toSorted().join(','));

export function watchTasks(ids: readonly string[]): void {
  if (ids.join() !== watchedByView.peek().join()) watchedByView.value = ids;
}

export function watchActs(ids: readonly string[]): void {
  if (ids.join() !== watchedByActs.peek().join()) watchedByActs.value = ids;
}

/** Milliseconds after which a page that is not shown closes its stream of events. */
const CLOSE_HIDDEN = 60_000;

/** Milliseconds by which the store's clock is ahead of this browser's. */
let ahead = 0;

/** @param time the time of the store's clock. Default: that of the overview, which has just been read */
export function takeOverview(told: Overview, time = told.at): void {
  const at = Date.parse(time);
  ahead = at - Date.now();
  overview.value = told;
  now.value = at;
}

export function startLive(): void {
  let source: EventSource | undefined;
  let retry: number | undefined;
  const connect = (ids: string): void => {
    clearTimeout(retry);
    source?.close();
    source = new EventSource(`${root}/api/events${ids === '' ? '' : `?watch=${encodeURIComponent(ids)}`}`);
    source.addEventListener('open', () => (isLive.value = true));
    source.addEventListener('overview', ({ data }) => {
      takeOverview(JSON.parse(data as string) as Overview);
      storeError.value = undefined;
      isLive.value = true;
    });
    source.addEventListener('failed', ({ data }) => {
      storeError.value = (JSON.parse(data as string) as { message: string }).message;
    });
    source.addEventListener('task', ({ data }) => {
      const row = JSON.parse(data as string) as TaskRow;
      statuses.value = new Map(statuses.peek()).set(row.id, row);
    });
    source.addEventListener('gone', ({ data }) => {
      statuses.value = new Map(statuses.peek()).set((JSON.parse(data as string) as { id: string }).id, null);
    });
    source.addEventListener('error', () => {
      isLive.value = false;
      // The browser tries again by itself, but not after an answer that is no stream, as of a proxy without a server.
      if (source?.readyState === EventSource.CLOSED) retry = window.setTimeout(() => connect(ids), 3_000);
    });
  };
  let hidden: number | undefined;
  let isPaused = false;
  // A page that nobody has seen for a while costs nothing; it is up to date again a moment after it is shown.
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hidden);
    if (document.hidden) {
      hidden = window.setTimeout(() => {
        isPaused = true;
        clearTimeout(retry);
        source?.close();
      }, CLOSE_HIDDEN);
    } else if (isPaused) {
      isPaused = false;
      connect(watched.peek());
    }
  });
  effect(() => connect(watched.value));
  // A tick a second moves the ages of what is shown.
  setInterval(() => {
    if (!document.hidden) now.value = Date.now() + ahead;
  }, 1_000);
  // A view starts without the tasks of the one before.
  effect(() => {
    void place.value.path;
    statuses.value = new Map();
  });
}
