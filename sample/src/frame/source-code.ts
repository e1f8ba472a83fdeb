import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { highlight } from './highlight.js';
import { type Html, html, trusted } from './html.js';

/** The folder `sample`, seen from `src/frame` and from `dist/frame`. */
export const SAMPLE = new URL('../../', import.meta.url);

/**
 * Shows files of the sample with highlighted code, the first one open. The files are read for each request, so that a change is visible
 * after a reload. The paths come from the list of features, never from a request.
 */
export async function sourceCode(paths: readonly string[]): Promise<Html> {
  const files = await Promise.all(paths.map(sourceFile));
  return html`<div class="sources">${files}</div>`;
}

async function sourceFile(path: string, index: number): Promise<Html> {
  const code = (await readFile(new URL(path, SAMPLE), 'utf8')).trimEnd();
  const lines = code.split('\n').length;
  // Details of one name open one at a time. Only the first one has the attribute `open`.
  return html`<details name="sources" ${trusted(index === 0 ? 'open' : '')}>
    <summary><code>${path}</code> <small>${lines} lines</small></summary>
    <pre tabindex="0"><code>${highlight(code, extname(path).slice(1))}</code></pre>
  </details>`;
}
