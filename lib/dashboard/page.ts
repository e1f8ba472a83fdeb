import type { Overview, Series, Span } from './api/api-types.js';
import type { PageFiles } from './assets.js';

export type Theme = 'auto' | 'light' | 'dark';

/** What a view of the page depends on, besides the data of the store. */
export interface PageSettings {
  /** The path of the dashboard: relative to the address of this page, so that the browser finds everything behind a proxy. */
  readonly root: string;
  readonly title: string;
  readonly readOnly: boolean;
  readonly user: string | null;
  /** The version of this package. */
  readonly version: string | null;
  /** The theme that the reader has chosen. */
  readonly theme: Theme;
}

/** What the script of the page has to know before its first request. It stands in the head of the page as JSON. */
export interface SentSettings extends PageSettings {
  readonly token: string;
}

/** The data of the overview as a page begins with it. */
export interface GivenView {
  /** The time of the store's clock when the page was made. The data may be some seconds older. */
  readonly now: string;
  readonly overview: Overview;
  readonly series: readonly {
    readonly query: { readonly span: Span; readonly queue?: string };
    readonly data: Series;
  }[];
}

/** A view that the server has rendered, with the data that it shows. */
export interface PageMarkup {
  readonly html: string;
  readonly given: GivenView;
}

/**
 * The first part of every view's HTML: its head, but for what the store has to tell. The style sheet stands in it, so that the browser needs
 * no other file to show the page.
 *
 * @param isRendered whether the server renders the view. The browser then shows nothing before it has the markup, and
 * the scripts are loaded once it is shown. Otherwise the browser loads all parts of the script with the script: by itself it would learn of them only when it has read it.
 */
export function startOfPage(
  { root, title, theme }: PageSettings,
  { script, parts, style, icon }: PageFiles,
  isRendered: boolean,
): string {
  const asset = (name: string) => escaped(`${root}/assets/${name}`);
  return `<!doctype html>
<html lang="en" data-theme="${theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<title>${escaped(title)}</title>
<style>${style.text}</style>
<link rel="icon" href="${asset(icon)}" type="image/svg+xml">
${isRendered ? shownFirst(parts.map(asset)) : parts.map((part) => `<link rel="modulepreload" href="${asset(part)}">`).join('\n')}
<script type="module" src="${asset(script)}"></script>
`;
}

/** A browser that waits for an element shows the page as soon as the element begins, so it waits for the one behind the markup. */
function shownFirst(parts: readonly string[]): string {
  return `<link rel="expect" href="#after-app" blocking="render">
<meta name="task-dashboard-parts" content="${parts.join(' ')}">`;
}

/** The rest of a page: the script draws the view that the address names, or goes on with the markup of the server. */
export function restOfPage(settings: SentSettings, markup: PageMarkup | undefined): string {
  return `<meta name="task-dashboard" content="${escaped(JSON.stringify(settings))}">
</head>
<body>
<div id="app">${markup?.html ?? ''}</div>
<noscript id="after-app">${markup ? STAYS : EMPTY}</noscript>
${markup ? givenView(markup.given) : ''}
</body>
</html>
`;
}

const EMPTY = 'This page needs JavaScript. The command line shows the same: npx nestjs-task-queue status';
const STAYS = 'Without JavaScript this page stays as it is, and its buttons do nothing.';

/** Data for the script of the page. The browser does not run it, and no text inside of it ends the element. */
function givenView(view: GivenView): string {
  const json = JSON.stringify(view).replaceAll('<', String.raw`\u003c`);
  return `<script type="application/json" id="given-view">${json}</script>`;
}

/**
 * The path from a view to the root of the dashboard.
 *
 * @param url the URL of the request, as this process got it
 * @param depth how many segments the view has below the root
 */
export function rootFrom(url: string, depth: number): string {
  const path = url.split('?')[0] ?? '';
  // A proxy may have renamed every segment, so the path goes up where it can. The browser leaves out what is behind the last
  // slash of its address.
  const up = depth + (path.endsWith('/') ? 1 : 0);
  return up === 0
    ? `./${path.split('/').at(-1) ?? ''}`
    : ['.', ...Array.from({ length: up - 1 }, () => '..')].join('/');
}

/** The theme that a cookie of the page names. */
export function themeOf(cookies: string | undefined): Theme {
  return (/(?:^|;\s*)task-dashboard-theme=(auto|light|dark)(?:;|$)/.exec(cookies ?? '')?.[1] ?? 'auto') as Theme;
}

export function escaped(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[sign] as string,
  );
}
