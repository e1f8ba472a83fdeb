import type { PageSettings } from '../lib/dashboard/page.js';

/** What the server has told this page. */
export let settings: PageSettings;

/** The path of the dashboard, without a slash at its end: a proxy may have put anything in front of it. */
export let root: string;

/** @param path of the dashboard; relative on a server, which does not know the address of the browser */
export function takeSettings(given: PageSettings, path: string): void {
  settings = given;
  root = path;
}
