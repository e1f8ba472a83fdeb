import type { Series, Span } from '../../lib/dashboard/api/api-types.js';
import { now } from '../live.js';
import { useResource, type Resource } from '../parts/resource.js';

/** Milliseconds between two reads of the charts. */
const REFRESH: Readonly<Record<Span, number>> = { hour: 10_000, day: 60_000, week: 300_000 };

/** What the charts show: of one queue, or of all. */
export function useSeries(span: Span, queue?: string): Resource<Series> {
  const query = queue === undefined ? { span } : { span, queue };
  return useResource<Series>(['series'], query, Math.floor(now.value / REFRESH[span]));
}
