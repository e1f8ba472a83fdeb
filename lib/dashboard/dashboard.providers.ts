import { join } from 'node:path';
import type { Provider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AdminActs } from '../admin/admin-acts.js';
import { TaskAdmin } from '../admin/task-admin.js';
import type { Engine } from '../engine/engine.js';
import type { Operator } from '../operator/operations.js';
import { OPERATOR } from '../operator/operator.providers.js';
import { packageFolder } from '../package-location.cjs';
import { TaskResults } from '../results/task-results.js';
import { TaskSchedules } from '../schedules/task-schedules.js';
import { ENGINE } from '../task-queue-tokens.js';
import { Acts } from './api/acts.js';
import { Reads } from './api/reads.js';
import { Assets } from './assets.js';
import { CsrfTokens } from './csrf-tokens.js';
import { Dashboard } from './dashboard.js';
import { DASHBOARD_OPTIONS, type ResolvedDashboardOptions } from './dashboard-options.js';
import { DepthHistory } from './depth/depth-history.js';
import { DepthWatch } from './depth/depth-watch.js';
import { FirstView } from './first-view.js';
import { LiveFeed } from './live/live-feed.js';
import { LiveStreams } from './live/live-streams.js';
import { PageRenderer } from './page-renderer.js';
import { PATIENCE, Pages } from './pages.js';
import { SharedReads } from './shared-reads.js';

/** The providers of one dashboard, besides its options. */
export const DASHBOARD_PROVIDERS: readonly Provider[] = [
  {
    provide: Assets,
    useFactory: () => new Assets(folderOfPage()),
  },
  { provide: PageRenderer, useFactory: () => new PageRenderer(folderOfPage()) },
  {
    provide: FirstView,
    inject: [Reads, PageRenderer],
    useFactory: (reads: Reads, renderer: PageRenderer) => new FirstView({ reads, renderer, patience: PATIENCE }),
  },
  { provide: SharedReads, useFactory: () => new SharedReads() },
  { provide: DepthHistory, useFactory: () => new DepthHistory() },
  { provide: DepthWatch, inject: [Reads], useFactory: (reads: Reads) => new DepthWatch(reads) },
  {
    provide: Reads,
    inject: [TaskAdmin, TaskSchedules, TaskResults, ENGINE, SharedReads, DepthHistory, DASHBOARD_OPTIONS],
    useFactory: (
      admin: TaskAdmin,
      schedules: TaskSchedules,
      results: TaskResults,
      engine: Engine,
      shared: SharedReads,
      depth: DepthHistory,
      { redact }: ResolvedDashboardOptions,
    ) => new Reads({ admin, schedules, results, engine, shared, depth, redact }),
  },
  {
    provide: Acts,
    inject: [TaskAdmin, TaskSchedules, AdminActs, OPERATOR, Reads],
    useFactory: (
      admin: TaskAdmin,
      schedules: TaskSchedules,
      acts: AdminActs,
      operator: Pick<Operator, 'enqueue'>,
      reads: Reads,
    ) => new Acts({ admin, schedules, acts, operator, reads }),
  },
  {
    provide: LiveFeed,
    inject: [Reads, TaskResults],
    useFactory: (reads: Reads, results: TaskResults) => new LiveFeed({ reads, results }),
  },
  { provide: LiveStreams, inject: [LiveFeed], useFactory: (feed: LiveFeed) => new LiveStreams(feed) },
  { provide: CsrfTokens, inject: [ENGINE], useFactory: (engine: Engine) => new CsrfTokens(engine) },
  {
    provide: Pages,
    inject: [DASHBOARD_OPTIONS, Assets, CsrfTokens, FirstView],
    useFactory: (options: ResolvedDashboardOptions, assets: Assets, tokens: CsrfTokens, firstView: FirstView) =>
      new Pages({ options, assets, tokens, firstView }),
  },
  {
    provide: Dashboard,
    inject: [
      DASHBOARD_OPTIONS,
      Assets,
      Reads,
      Acts,
      CsrfTokens,
      LiveFeed,
      LiveStreams,
      SharedReads,
      Pages,
      HttpAdapterHost,
    ],
    useFactory: (
      options: ResolvedDashboardOptions,
      assets: Assets,
      reads: Reads,
      acts: Acts,
      tokens: CsrfTokens,
      feed: LiveFeed,
      streams: LiveStreams,
      shared: SharedReads,
      pages: Pages,
      adapterHost: HttpAdapterHost,
    ) => new Dashboard({ options, reads, acts, assets, tokens, feed, streams, shared, pages, adapterHost }),
  },
];

/** The folder with the built page; `undefined` in a bundle, which has none. */
function folderOfPage(): string | undefined {
  const folder = packageFolder();
  return folder === undefined ? undefined : join(folder, 'dist', 'dashboard');
}
