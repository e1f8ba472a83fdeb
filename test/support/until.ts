import { setImmediate as turn } from 'node:timers/promises';

/** Under Jest's time limit of a test: a loop that outlives its test would keep its process busy for ever. */
const PATIENCE = 20_000;

/**
 * Resolves as soon as something has become true, looking once a turn of the event loop: for what tells nobody that it
 * happened.
 */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Within ${PATIENCE} ms it did not become true: ${condition.toString()}`);
    await turn();
  }
}
