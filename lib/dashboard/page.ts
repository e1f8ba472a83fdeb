import type { Overview, Series, Span } from './api/api-types.js';
import type { AssetNames } from './assets.js';

export type Theme = 'auto' | 'light' | 'dark';

/** What the script of the page has to know before its first request. It stands in the page as JSON. */
export interface PageSettings {
  /** The path of the dashboard: relative to the address of this page, so that the browser finds everything behind a proxy. */
  readonly root: string;
  readonly title: string;
  readonly readOnly: boolean;
  readonly token: string;
  readonly user: string | null;
  /** The version of this package. */
  readonly version: string | null;
  /** The theme that the reader has chosen. */
  readonly theme: Theme;
  /** The name of the file with the icon. */
  readonly icon: string;
}

/** The data of the overview as a page begins with it. */
export interface GivenView {
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
 * The HTML of every view: the script draws the view that the address names, or goes on with the markup of the server. The browser loads the parts of the script with the
 * script; by itself it would learn of them only when it has read the script.
 */
export function pageOf(
  settings: PageSettings,
  { script, parts, style, icon }: AssetNames,
  markup: PageMarkup | undefined,
): string {
  const { root, title, theme } = settings;
  const asset = (name: string) => escaped(`${root}/assets/${name}`);
  return `<!doctype html>
<html lang="en" data-theme="${theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<meta name="task-dashboard" content="${escaped(JSON.stringify(settings))}">
<title>${escaped(title)}</title>
<link rel="icon" href="${asset(icon)}" type="image/svg+xml">
<link rel="stylesheet" href="${asset(style)}">
${parts.map((part) => `<link rel="modulepreload" href="${asset(part)}">\n`).join('')}<script type="module" src="${asset(script)}"></script>
</head>
<body>
${markup ? beginning(markup) : EMPTY}
</body>
</html>
`;
}

const EMPTY = `<div id="app"></div>
<noscript>This page needs JavaScript. The command line shows the same: npx nestjs-task-queue status</noscript>`;

function beginning({ html, given }: PageMarkup): string {
  return `<div id="app">${html}</div>
<script type="application/json" id="given-view">${jsonInHtml(given)}</script>
<noscript>Without JavaScript this page stays as it is, and its buttons do nothing.</noscript>`;
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

/** No text inside of it ends the element that it stands in. */
function jsonInHtml(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', String.raw`\u003c`);
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
