import { PackageLogger } from '../package-logger.js';
import type { Span } from './api/api-types.js';
import type { Reads } from './api/reads.js';
import { SPANS } from './depth/spans.js';
import type { GivenView, PageMarkup, PageSettings } from './page.js';
import type { PageRenderer } from './page-renderer.js';
import { within } from './within.js';

/** The most queues and workers whose rows a server renders: a browser renders more of them without holding up other requests. */
const MOST_ROWS = 300;

export interface FirstViewDeps {
  readonly reads: Pick<Reads, 'overview' | 'series' | 'now'>;
  readonly renderer: Pick<PageRenderer, 'overview'>;
  /** Milliseconds for which a page waits for the store. */
  readonly patience: number;
}

/** Milliseconds that the data may be old: a page that is shown reads it again within seconds. */
const RECENT = 5_000;

/**
 * Renders the overview with its data, so that a browser shows it before it runs any script. When the store does not answer soon, the
 * page comes without it, and its scripts read the data.
 */
export class FirstView {
  private readonly logger = new PackageLogger('TaskDashboard');

  constructor(private readonly deps: FirstViewDeps) {}

  /** @param search the query of the address */
  async render(settings: PageSettings, search: string): Promise<PageMarkup | undefined> {
    const { renderer, patience } = this.deps;
    const given = await within(this.read(new URLSearchParams(search)), patience);
    if (!given || given.overview.queues.length + given.overview.workers.length > MOST_ROWS) return undefined;
    try {
      return { html: renderer.overview(settings, given, search), given };
    } catch (error) {
      this.logger.error(error);
      return undefined;
    }
  }

  private async read(query: URLSearchParams): Promise<GivenView> {
    const { reads } = this.deps;
    const [asked, queue] = [query.get('span') ?? '', query.get('queue')];
    const span = Object.hasOwn(SPANS, asked) ? (asked as Span) : 'hour';
    const queries: GivenView['series'][number]['query'][] = [{ span }, ...(queue === null ? [] : [{ span, queue }])];
    const [overview, ...series] = await Promise.all([
      reads.overview(RECENT),
      ...queries.map((one) => reads.series({ ...one }, RECENT)),
    ]);
    const now = new Date(reads.now()).toISOString();
    return { now, overview, series: series.map((data, place) => ({ query: queries[place] ?? { span }, data })) };
  }
}
