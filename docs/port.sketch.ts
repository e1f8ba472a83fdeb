/**
 * A sketch: what the features to come will ask of an engine, as types and docstrings. Nothing implements it yet, and no
 * code imports it; the compiler only checks that it fits the port of today. docs/port.md says how to use it.
 *
 * Each interface is a port of its own, by concern. A feature adds its port to `Engine` (lib/engine/engine.ts) and every
 * engine implements it, so no method is optional and none of today's methods changes.
 */
import type { Json } from '../lib/engine/json.js';

// ---------------------------------------------------------------------------------------------------------------------
// Later: limits by key, and durable tasks. Only their place is reserved here.

/** Places that are shared by key, for all processes. */
export interface LimitPort {
  /** @returns false when all places of the key are taken: the task then waits in the order of its key */
  acquire(id: string, key: string, max: number): Promise<boolean>;
  /** Gives the place of a task back; the next waiting task of the key becomes due. */
  release(id: string, key: string): Promise<void>;
}

/** Steps and signals of tasks that survive their worker. */
export interface DurablePort {
  /** The stored result of a step; `undefined` when the step has not ended. */
  stepResult(id: string, step: string): Promise<Json | undefined>;
  storeStep(id: string, step: string, result: Json): Promise<void>;
  /** Stores a signal for a task, also before the task waits for it. */
  signal(id: string, name: string, value: Json): Promise<void>;
  takeSignal(id: string, name: string): Promise<Json | undefined>;
}
