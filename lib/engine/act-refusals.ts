import { ActRefusedError } from '../errors.js';
import type { TaskRecord } from './task.js';

/** Why a task is not promoted. */
export function refusePromotion({ id, name, state }: TaskRecord): ActRefusedError {
  const why: Partial<Record<TaskRecord['state'], string>> = {
    queued: 'it is due already, and waits in its queue for a worker. Resume the queue if it is paused, or add workers.',
    running: 'a worker runs it.',
    waiting: 'it waits for other tasks of its workflow. Promote those.',
  };
  return new ActRefusedError(id, name, 'promoted', why[state] ?? `it is ${state}. Run it again with retry().`);
}

/** Why a task is not changed. */
export function refuseUpdate({ id, name, state }: TaskRecord): ActRefusedError {
  const why: Partial<Record<TaskRecord['state'], string>> = {
    running: 'a worker has started it. Cancel it, and enqueue it again.',
    retrying: 'an attempt of it has run already. Cancel it, and enqueue it again.',
    waiting: 'it waits for other tasks of its workflow, which decide how it goes on.',
  };
  return new ActRefusedError(id, name, 'changed', why[state] ?? `it is ${state}. Enqueue it again with other values.`);
}

/** Why the arguments of a task are not changed that stands for other calls. */
export function refuseArguments({ id, name }: Pick<TaskRecord, 'id' | 'name'>): ActRefusedError {
  const why =
    'it is unique or has an idempotency key, so that other calls rely on its arguments. Cancel it, and enqueue it again.';
  return new ActRefusedError(id, name, 'changed', why);
}
