import type { IQueueBackend } from 'bullmq';
import { bullmq } from './bullmq.js';

/** How long a worker waits after it could not take a job. */
const PAUSE = 1_000;

/**
 * Makes a worker patient. BullMQ waits a moment when the server refuses connections; after any other error (memory is
 * full, a table is gone, a permission was taken away) it would ask again at once, thousands of times a second.
 */
export function patient<B extends Pick<IQueueBackend, 'moveToActive'>>(backend: B): B {
  const moveToActive = backend.moveToActive.bind(backend);
  backend.moveToActive = async (...args) => {
    try {
      return await moveToActive(...args);
    } catch (error) {
      if (bullmq.isNotConnectionError(error as Error)) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      throw error;
    }
  };
  return backend;
}
