/** The rate per second, for `count` operations since `start`. */
export function perSecond(count: number, start: number): number {
  return (count / (performance.now() - start)) * 1000;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value that `percent` percent of the values do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor((sorted.length * percent) / 100), sorted.length - 1)];
}

/** Formats a figure with three significant digits. */
export function readable(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
