import { hydrate, render } from 'preact';
import type { GivenView, PageSettings } from '../lib/dashboard/page.js';
import { App } from './app.js';
import { isZoneKnown } from './format.js';
import { takeView } from './given-view.js';
import { startKeys } from './keys.js';
import { startLive } from './live.js';
import { startJobs } from './parts/jobs.js';
import { takeTheme } from './parts/theme.js';
import { startRouter } from './router.js';
import { takeSettings } from './settings.js';
import { startViews } from './load-views.js';

const told = document.querySelector<HTMLMetaElement>('meta[name="task-dashboard"]')?.content ?? '{}';
const settings = JSON.parse(told) as PageSettings;
takeSettings(settings, new URL(settings.root, location.href).pathname.replace(/\/$/, ''));
takeTheme(settings.theme);
startRouter();
makeAbsolute();
const element = document.querySelector('#app') as HTMLElement;
const given = document.querySelector('#given-view')?.textContent;
if (given) {
  takeView(JSON.parse(given) as GivenView);
  hydrate(<App />, element);
}
isZoneKnown.value = true;
startViews();
startJobs();
startLive();
startKeys();
if (!given) render(<App />, element);

/** A server knows no path of the browser, so its addresses are relative. They have to lead there from every view. */
function makeAbsolute(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement | HTMLLinkElement>('a[href^="."], link[rel="icon"]'))
    link.setAttribute('href', link.href.slice(location.origin.length));
}
