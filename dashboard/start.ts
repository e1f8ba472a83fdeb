/**
 * Starts the page. A view that came with the document is painted first: scripts that are loaded or run earlier would hold it up. A page that is not visible
 * paints nothing, so it does not wait.
 */
import { keepEarlyEvents } from './early-events.js';

const repeatEarlyEvents = keepEarlyEvents();

if (document.hidden || !document.querySelector('#given-view')) void start();
else requestAnimationFrame(() => setTimeout(() => void start()));

async function start(): Promise<void> {
  preloadParts();
  await import('./main.js');
  repeatEarlyEvents();
}

/** Loads all parts of the script at once. By itself the browser would learn of most of them only when it has read the first. */
function preloadParts(): void {
  const parts = document.querySelector<HTMLMetaElement>('meta[name="task-dashboard-parts"]')?.content.split(' ') ?? [];
  for (const href of parts)
    document.head.append(Object.assign(document.createElement('link'), { rel: 'modulepreload', href }));
}
