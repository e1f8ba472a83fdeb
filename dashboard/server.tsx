/**
 * Renders the overview on a server. `scripts/build-dashboard.mjs` makes a module of its own of it, which `lib/dashboard` loads.
 *
 * Rendering is synchronous, so the state of the page, which stands in modules, belongs to one request at a time.
 */
import { batch } from '@preact/signals';
import { renderToString } from 'preact-render-to-string';
import type { GivenView, PageSettings } from '../lib/dashboard/page.js';
import { App } from './app.js';
import { takeView } from './given-view.js';
import { overview } from './live.js';
import { forget } from './parts/resource.js';
import { takeTheme } from './parts/theme.js';
import { place } from './router.js';
import { takeSettings } from './settings.js';

/** @param search the query of the address */
export function renderOverview(settings: PageSettings, given: GivenView, search: string): string {
  try {
    batch(() => {
      takeSettings(settings, settings.root);
      takeTheme(settings.theme);
      takeView(given);
      place.value = { path: [], query: new URLSearchParams(search) };
    });
    return renderToString(<App />);
  } finally {
    overview.value = undefined;
    forget();
  }
}
