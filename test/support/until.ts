import { setImmediate as turn } from 'node:timers/promises';

/**
 * Resolves as soon as something has become true, looking once a turn of the event loop: for what tells nobody that it
 * happened. Jest's time limit ends it.
 */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}
