import { TestEnvironment } from 'jest-environment-node';
import { setTimeout as sleep } from 'node:timers/promises';
import { disableAsyncStores } from './async-stores.js';

/** Milliseconds in which a handle may still close by itself: a socket, for example, that has just been ended. */
const GRACE = 2_000;

/**
 * Writes that the system has not taken yet. A stream that a suite leaves open is found by itself. What Jest tells its parent process
 * about each test is written too, and the parent may read it late on a busy machine.
 */
const WRITES = new Set(['SimpleWriteWrap', 'WriteWrap']);

/**
 * The environment of every suite. It fails a suite that ends with more open handles than it began with. It is an
 * environment and not a hook, because it has to check after the suite's own `afterAll`.
 */
export default class OpenHandleEnvironment extends TestEnvironment {
  #before = openHandles();
  #grace = GRACE;

  /** @param {ConstructorParameters<typeof TestEnvironment>} args the option of the environment is `grace`, in milliseconds */
  constructor(...args) {
    super(...args);
    const [{ projectConfig }] = args;
    this.#grace = Number(projectConfig.testEnvironmentOptions['grace'] ?? GRACE);
  }

  /**
   * @param {import('@jest/types').Circus.AsyncEvent} event
   * @param {import('@jest/types').Circus.State} state
   */
  async handleTestEvent(event, state) {
    if (event.name === 'setup') this.#before = openHandles();
    if (event.name === 'run_finish') {
      const leaked = await stillOpenAfterGrace(this.#before.kinds, this.#grace);
      if (leaked.length) state.unhandledErrors.push(openHandlesError(leaked, this.#before.handles));
    }
  }

  /** @override */
  async teardown() {
    await super.teardown();
    disableAsyncStores();
  }
}

/**
 * @param {string[]} before
 * @param {number} grace
 */
async function stillOpenAfterGrace(before, grace) {
  const deadline = Date.now() + grace;
  for (;;) {
    const leaked = without(openHandles().kinds, before);
    if (!leaked.length || Date.now() > deadline) return leaked;
    await sleep(20);
  }
}

/**
 * Lists what keeps the event loop alive: the kinds (public), and the handles themselves (private), because Node has no
 * public way to tell one socket from another.
 */
function openHandles() {
  // Node opens both on first use. Opened here, they are no leak of the suite that happens to print first.
  void process.stdout;
  void process.stderr;
  /** @type {Set<{ remoteAddress?: string, remotePort?: number, spawnfile?: string, address?: () => unknown }>} */
  const handles = new Set(Reflect.get(process, '_getActiveHandles').call(process));
  const kinds = process.getActiveResourcesInfo().filter((kind) => !WRITES.has(kind));
  return { kinds, handles };
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
  error.stack = error.message; // The stack would only point to this file.
  return error;
}
