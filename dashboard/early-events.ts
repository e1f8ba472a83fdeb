/** What a reader does with the page, besides what the browser does by itself: it follows links and fills fields without any script. */
const TYPES = ['keydown', 'click', 'change', 'toggle'] as const;

/**
 * Keeps what the reader does before the scripts run: a page that the server has rendered is shown before that.
 *
 * @returns repeats all of it, in its order, for the scripts that run by then
 */
export function keepEarlyEvents(): () => void {
  const kept: Event[] = [];
  const keep = (event: Event): void => {
    if (event.type !== 'click' || (event.target as Element).closest('button')) kept.push(event);
  };
  for (const type of TYPES) addEventListener(type, keep, true);
  return () => {
    for (const type of TYPES) removeEventListener(type, keep, true);
    for (const event of kept) event.target?.dispatchEvent(copyOf(event));
  };
}

/** An event can be dispatched once. */
function copyOf(event: Event): Event {
  return new (event.constructor as typeof Event)(event.type, event);
}
