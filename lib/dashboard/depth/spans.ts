import type { Span } from '../api/api-types.js';

/** The spans of time of the charts, and the steps of their points, in milliseconds. */
export const SPANS: Readonly<Record<Span, { readonly length: number; readonly step: number }>> = {
  hour: { length: 3_600_000, step: 60_000 },
  day: { length: 86_400_000, step: 20 * 60_000 },
  week: { length: 7 * 86_400_000, step: 2 * 3_600_000 },
};
