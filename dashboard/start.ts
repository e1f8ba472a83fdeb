/**
 * Starts the page. A view that came with the document is painted first: scripts that run earlier would hold it up, and nobody can click
 * on what is not shown yet. A page that is not visible paints nothing, so it does not wait.
 */
const start = () => void import('./main.js');

if (document.hidden || !document.querySelector('#given-view')) start();
else requestAnimationFrame(() => setTimeout(start));
