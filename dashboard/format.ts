import { signal } from '@preact/signals';

/**
 * Whether the time zone of the reader is known. A server does not know it, and a page that begins with the markup of a server begins
 * as that: without the times of the reader's clock.
 */
export const isZoneKnown = signal(false);

// The first use of `Intl` takes a while, so nothing is made of it before it is needed.
const clock = once(() => new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }));
const day = once(() => new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' }));
const exactTime = once(
  () =>
    new Intl.DateTimeFormat(undefined, {
      ...({
        year: 'numeric',
        month: 'short',
        day: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
      } as const),
      fractionalSecondDigits: 3,
      timeZoneName: 'short',
      hourCycle: 'h23',
    }),
);

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** A number with commas between its thousands, alike in every browser and on every server. */
export function count(value: number): string {
  const [whole = '', fraction] = String(Math.round(value * 1_000) / 1_000).split('.');
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

export function plural(value: number, noun: string, nouns = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : nouns}`;
}

/** A duration in two units at most: `2 min 9 s`. */
export function duration(milliseconds: number): string {
  const ms = Math.max(milliseconds, 0);
  if (ms < 1) return '<1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1).replace('.0', '')} s`;
  const seconds = Math.floor(ms / 1_000);
  const units = [
    [Math.floor(seconds / 86_400), seconds % 86_400 >= 3_600 ? Math.floor((seconds % 86_400) / 3_600) : 0, 'd', 'h'],
    [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60), 'h', 'min'],
    [Math.floor(seconds / 60), seconds % 60, 'min', 's'],
  ] as const;
  for (const [large, small, name, next] of units)
    if (large > 0) return small > 0 && large < 100 ? `${large} ${name} ${small} ${next}` : `${large} ${name}`;
  return `${seconds} s`;
}

/** `2 min ago`, `in 9 min`, `just now`: the largest unit alone. */
export function ago(time: number, now: number): string {
  const distance = Math.abs(now - time);
  if (distance < 2_000) return time > now ? 'now' : 'just now';
  const text = rough(distance);
  return time > now ? `in ${text}` : `${text} ago`;
}

export function rough(distance: number): string {
  const seconds = Math.round(distance / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return hours < 10 && minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return plural(Math.floor(hours / 24), 'day');
}

/** Like the others below, empty as long as {@link isZoneKnown} is not. */
export function exact(time: number): string {
  return isZoneKnown.value ? exactTime().format(time) : '';
}

export function hourOf(time: number): string {
  return isZoneKnown.value ? clock().format(time) : '';
}

export function dayAndHour(time: number): string {
  return isZoneKnown.value ? `${day().format(time)}, ${clock().format(time)}` : '';
}

export function dayOf(time: number): string {
  return isZoneKnown.value ? day().format(time) : '';
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [size, unit] = [value, 0];
  while (size >= 1_000 && unit < units.length - 1) [size, unit] = [size / 1_000, unit + 1];
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

/** A share that is never shown as 0 when it is more. */
export function share(part: number, of: number): string {
  if (of === 0) return '0 %';
  const percent = (part / of) * 100;
  if (percent === 0) return '0 %';
  if (percent < 0.01) return 'under 0.01 %';
  return `${percent < 1 ? percent.toFixed(2) : percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** An id that fits into a row; the whole one is its title. */
export function shortId(id: string): string {
  const [, random = id] = id.split(/\.(?=[^.]*$)/);
  return random.length > 10 ? `${random.slice(0, 4)}…${random.slice(-4)}` : random;
}

/** Keeps only the newest size of a long list of names. */
export function names(list: readonly string[], most = 3): string {
  return list.length > most ? `${list.slice(0, most).join(', ')} and ${list.length - most} more` : list.join(', ');
}
