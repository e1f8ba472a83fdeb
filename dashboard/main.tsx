import { hydrate, render } from 'preact';
import type { GivenView, SentSettings } from '../lib/dashboard/page.js';
import { takeToken } from './api.js';
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

const { token, ...settings } = settingsOfPage();
takeToken(token);
takeSettings(settings, new URL(settings.root, location.href).pathname.replace(/\/$/, ''));
takeTheme(settings.theme);
startRouter();
makeAbsolute();
const element = document.querySelector('#app') as HTMLElement;
const view = givenView();
if (view) {
  takeView(view);
  hydrate(<App />, element);
}
isZoneKnown.value = true;
startViews();
startJobs();
startLive();
startKeys();
if (!view) render(<App />, element);

function settingsOfPage(): SentSettings {
  return JSON.parse(
    document.querySelector<HTMLMetaElement>('meta[name="task-dashboard"]')?.content ?? '',
  ) as SentSettings;
}

/** The data of a view that came with its markup. */
function givenView(): GivenView | undefined {
  const json = document.querySelector('#given-view')?.textContent;
  return json ? (JSON.parse(json) as GivenView) : undefined;
}

/** A server knows no path of the browser, so its addresses are relative. They have to lead there from every view. */
function makeAbsolute(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement | HTMLLinkElement>('a[href^="."], link[rel="icon"]'))
    link.setAttribute('href', link.href.slice(location.origin.length));
}
