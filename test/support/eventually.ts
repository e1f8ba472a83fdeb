import { setTimeout as sleep } from 'node:timers/promises';

/** Looks now and then whether something has become true, for what other processes did tells nobody that it happened. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  patience = 30_000,
): Promise<void> {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      throw new Error(`Within ${patience} ms it did not happen that ${typeof what === 'string' ? what : what()}.`);
    }
    await sleep(20);
  }
}
