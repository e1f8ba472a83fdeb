import type { GivenView } from '../lib/dashboard/page.js';
import { takeOverview } from './live.js';
import { give } from './parts/resource.js';

/** Takes the data that came with the page, so that it is not read again. */
export function takeView({ now, overview, series }: GivenView): void {
  takeOverview(overview, now);
  for (const { query, data } of series) give(['series'], query, data);
}
