import type { IQueueBackend } from 'bullmq';
import type { ConsumerOptions } from '../engine.js';

/** How often what nobody can ask for any more is removed: BullMQ does that only when another job of the queue ends. */
const SWEEP_INTERVAL = 60_000;
const SWEEP_AT_ONCE = 1_000;

/** Removes ended tasks when their time is over, also from a queue that went quiet. @returns what ends it */
export function sweepRegularly(
  backend: IQueueBackend,
  { succeeded, failed }: ConsumerOptions['keep'],
  interval = SWEEP_INTERVAL,
): () => void {
  const sweep = async () => {
    try {
      await backend.cleanJobsByState('completed', Date.now() - succeeded, SWEEP_AT_ONCE);
      await backend.cleanJobsByState('failed', Date.now() - failed, SWEEP_AT_ONCE);
    } catch {
      // Out of reach: swept in a minute.
    }
  };
  const timer = setInterval(() => void sweep(), interval).unref();
  return () => clearInterval(timer);
}
