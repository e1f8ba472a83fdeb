import type { IncomingHttpHeaders } from 'node:http';

/** How long a client wants to wait for the end of a task. */
export interface WaitPreference {
  readonly milliseconds: number;
  /** The value of the header `Preference-Applied`; `undefined` when the client used the query parameter. */
  readonly applied: string | undefined;
}

const SECONDS = /^\d{1,9}$/;

/**
 * Reads `Prefer: wait=20` (RFC 7240), else `?wait=20`. An invalid value is ignored, as RFC 7240 demands of preferences.
 *
 * @param query the value of the query parameter
 * @param longest milliseconds; a longer wait is shortened to this
 * @returns `undefined` when the client does not want to wait
 */
export function waitPreference(
  headers: IncomingHttpHeaders,
  query: unknown,
  longest: number,
): WaitPreference | undefined {
  const preferred = preference(headers['prefer'], 'wait');
  const seconds = preferred ?? (Array.isArray(query) ? (query as unknown[])[0] : query);
  if (typeof seconds !== 'string' || !SECONDS.test(seconds)) return undefined;
  const milliseconds = Math.min(Number(seconds) * 1_000, longest);
  return { milliseconds, applied: preferred === undefined ? undefined : `wait=${milliseconds / 1_000}` };
}

function preference(header: string | string[] | undefined, wanted: string): string | undefined {
  for (const item of [header ?? []].flat().join(',').split(',')) {
    const [name = '', value = ''] = (item.split(';', 1)[0] as string).split('=', 2);
    if (name.trim().toLowerCase() === wanted) return value.trim().replace(/^"(.*)"$/, '$1');
  }
  return undefined;
}

/** Whether `If-None-Match` lists this version. The comparison is weak, as it always is with that header. */
export function isKnown(header: string | undefined, version: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => {
    const text = tag.trim();
    return text === '*' || text.replace(/^W\//, '') === `"${version}"`;
  });
}

/** Whether the client prefers an event stream to JSON. Of two types with the same `q`, the first type wins. */
export function prefersEvents(accept: string | undefined): boolean {
  let best = 0;
  let events = false;
  for (const item of (accept ?? '').toLowerCase().split(',')) {
    const [range = '', ...parameters] = item.split(';').map((part) => part.trim());
    const isEvents = range === 'text/event-stream';
    if (!isEvents && !['application/json', 'application/*', '*/*'].includes(range)) continue;
    const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1);
    if (quality > best) [best, events] = [quality, isEvents];
  }
  return events;
}
