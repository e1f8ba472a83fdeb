import { signal } from '@preact/signals';
import { root } from './settings.js';

export interface Place {
  /** The segments behind the root: `['tasks', '<id>']`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** Where the reader is. Views and filters are addresses, so `back` works and a colleague sees the same. */
export const place = signal<Place>({ path: [], query: new URLSearchParams() });

function current(): Place {
  const path = location.pathname.slice(root.length).split('/').filter(Boolean).map(decodeURIComponent);
  return { path, query: new URLSearchParams(location.search) };
}

/** The address of a view. */
export function href(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') search.set(name, value);
  const text = search.toString();
  return `${[root, ...path.map(encodeURIComponent)].join('/') || '/'}${text === '' ? '' : `?${text}`}`;
}

/** The address of this view with some parameters changed; `undefined` removes one. */
export function withQuery(changes: Readonly<Record<string, string | undefined>>): string {
  const query = Object.fromEntries(place.value.query);
  return href(place.value.path, { ...query, cursor: undefined, ...changes });
}

export function go(address: string, { replace = false } = {}): void {
  const before = place.value.path.join('/');
  history[replace ? 'replaceState' : 'pushState'](null, '', address);
  place.value = current();
  if (place.value.path.join('/') === before) return;
  scrollTo(0, 0);
  document.querySelector<HTMLElement>('#main')?.focus({ preventScroll: true });
}

/** Links inside of the dashboard load no page. */
export function startRouter(): void {
  place.value = current();
  addEventListener('popstate', () => (place.value = current()));
  addEventListener('click', (event) => {
    const link = (event.target as Element).closest('a');
    const isPlain =
      !event.defaultPrevented &&
      event.button === 0 &&
      !event.metaKey &&
      !event.ctrlKey &&
      !event.shiftKey &&
      !event.altKey;
    if (!link || !isPlain || link.origin !== location.origin || link.target || link.hasAttribute('download')) return;
    if (!(link.pathname === root || link.pathname.startsWith(`${root}/`)) || link.hash) return;
    event.preventDefault();
    go(link.href);
  });
}
