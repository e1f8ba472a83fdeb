import type { IncomingHttpHeaders } from 'node:http';

/** How long a client asks to be kept waiting for the end of a task. */
export interface WaitPreference {
  readonly milliseconds: number;
  /** Value of the header `Preference-Applied`; only for a preference that came as a header. */
  readonly applied: string | undefined;
}

const SECONDS = /^\d{1,9}$/;

/**
 * `Prefer: wait=20` (RFC 7240), else `?wait=20`. What cannot be read is ignored, as that RFC wants of preferences.
 *
 * @param longest milliseconds; who wants to wait longer waits so long
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

/** Whether `If-None-Match` lists this version. Compared weakly, as that header always is. */
export function isKnown(header: string | undefined, version: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => {
    const text = tag.trim();
    return text === '*' || text.replace(/^W\//, '') === `"${version}"`;
  });
}

/** Whether the client would rather have a stream of events than JSON; what it names first wins a tie. */
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
