import type { AssetNames } from './assets.js';

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
}

/**
 * The HTML of every view: the script draws the view that the address names. The browser loads the parts of the script with the
 * script; by itself it would learn of them only when it has read the script.
 */
export function pageOf(settings: PageSettings, { script, parts, style, icon }: AssetNames): string {
  const { root, title } = settings;
  const asset = (name: string) => escaped(`${root}/assets/${name}`);
  return `<!doctype html>
<html lang="en" data-theme="auto">
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
<div id="app"></div>
<noscript>This page needs JavaScript. The command line shows the same: npx nestjs-task-queue status</noscript>
</body>
</html>
`;
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

export function escaped(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[sign] as string,
  );
}
