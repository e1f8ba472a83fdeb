const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A length of time with its two largest units: `2d 3h`, `4m 10s`, `12s`, `40ms`. */
export function durationText(milliseconds: number): string {
  const time = Math.max(0, Math.round(milliseconds));
  if (time < 1_000) return `${time}ms`;
  const first = UNITS.findIndex(([, length]) => time >= length);
  const [unit, length] = UNITS[first] as (typeof UNITS)[number];
  const whole = `${Math.floor(time / length)}${unit}`;
  const next = UNITS[first + 1];
  const rest = next && Math.floor((time % length) / next[1]);
  return next && rest ? `${whole} ${rest}${next[0]}` : whole;
}

/** How long ago a time was; `null` stays `null`. @param now milliseconds */
export function ageText(time: string | null, now: number): string | null {
  return time === null ? null : durationText(now - Date.parse(time));
}

/** A time as people write it, in UTC: `2026-11-27 03:10:05`. */
export function timeText(time: string | null): string | null {
  return time === null ? null : time.replace('T', ' ').replace(/\.\d+Z$/, '');
}

/** `1 task`, `2 tasks`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`;
}
