import { TestEnvironment } from 'jest-environment-node';
import { setTimeout as sleep } from 'node:timers/promises';

/** What closes by itself (a socket saying goodbye) gets this long. */
const GRACE_MS = 2000;

/**
 * The environment of every suite: a suite that ends with more open than it began with fails. It is an environment and
 * not a hook, since a suite's own `afterAll` has to come first.
 */
export default class OpenHandleEnvironment extends TestEnvironment {
  #before = openHandles();

  /**
   * @param {import('@jest/types').Circus.AsyncEvent} event
   * @param {import('@jest/types').Circus.State} state
   */
  async handleTestEvent(event, state) {
    if (event.name === 'setup') this.#before = openHandles();
    if (event.name === 'run_finish') {
      const leaked = await stillOpenAfterGrace(this.#before.kinds);
      if (leaked.length) state.unhandledErrors.push(openHandlesError(leaked, this.#before.handles));
    }
  }
}

/** @param {string[]} before */
async function stillOpenAfterGrace(before) {
  const deadline = Date.now() + GRACE_MS;
  for (;;) {
    const leaked = without(openHandles().kinds, before);
    if (!leaked.length || Date.now() > deadline) return leaked;
    await sleep(20);
  }
}

/**
 * What keeps the event loop alive: the kind of each, and those that can say more about themselves (Node has no public
 * way to tell one socket from another).
 */
function openHandles() {
  // Both open on first use: no leak of the suite that happens to print first.
  void process.stdout;
  void process.stderr;
  /** @type {Set<{ remoteAddress?: string, remotePort?: number, spawnfile?: string, address?: () => unknown }>} */
  const handles = new Set(Reflect.get(process, '_getActiveHandles').call(process));
  return { kinds: process.getActiveResourcesInfo(), handles };
}

/**
 * @param {string[]} all
 * @param {string[]} some
 */
function without(all, some) {
  const rest = [...all];
  for (const one of some) {
    const index = rest.indexOf(one);
    if (index !== -1) rest.splice(index, 1);
  }
  return rest;
}

/**
 * @param {string[]} kinds
 * @param {ReturnType<typeof openHandles>['handles']} before
 */
function openHandlesError(kinds, before) {
  const names = [...openHandles().handles].flatMap((handle) => {
    if (before.has(handle)) return [];
    if (handle.remotePort) return [`a socket to ${handle.remoteAddress}:${handle.remotePort}`];
    if (handle.spawnfile) return [`the process ${handle.spawnfile}`];
    return handle.address ? [`a server on ${JSON.stringify(handle.address())}`] : [];
  });
  const error = new Error(`The suite left open: ${kinds.join(', ')}${names.length ? ` (${names.join(', ')})` : ''}.`);
  error.stack = error.message; // Its own stack would only point here.
  return error;
}
