import type { PageSettings } from '../lib/dashboard/page.js';

const element = document.querySelector<HTMLMetaElement>('meta[name="task-dashboard"]');

/** What the server has told this page. */
export const settings = JSON.parse(element?.content ?? '{}') as PageSettings;

/** The path of the dashboard in the browser, without a slash at its end: a proxy may have put anything in front of it. */
export const root = new URL(settings.root, location.href).pathname.replace(/\/$/, '');
