import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds from the first check to the second. Each further wait is twice as long, up to the longest interval. */
const FIRST_INTERVAL = 1;
const LONGEST_INTERVAL = 20;
/** Below Jest's time limit for a test, so that a test fails with the message of `until` and not with Jest's. */
const PATIENCE = 20_000;

/**
 * Resolves once the condition is true. A test uses it for something that triggers no event in the test's own process: a
 * change in a server, in another process or on a page.
 *
 * @param what completes the sentence "… did not become true"; default: the source text of the condition
 * @param patience milliseconds, default 20 s
 * @throws Error when the condition is still false after `patience`
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string) = condition.toString(),
  patience = PATIENCE,
): Promise<void> {
  const deadline = Date.now() + patience;
  for (let interval = FIRST_INTERVAL; !(await condition()); interval = Math.min(interval * 2, LONGEST_INTERVAL)) {
    if (Date.now() > deadline) {
      throw new Error(`Within ${patience} ms this did not become true: ${typeof what === 'string' ? what : what()}.`);
    }
    await sleep(interval);
  }
}
