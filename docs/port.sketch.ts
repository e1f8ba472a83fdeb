/**
 * A sketch: what the features to come will ask of an engine, as types and docstrings. Nothing implements it yet, and no
 * code imports it; the compiler only checks that it fits the port of today. docs/port.md says how to use it.
 *
 * Each interface is a port of its own, by concern. A feature adds its port to `Engine` (lib/engine/engine.ts) and every
 * engine implements it, so no method is optional and none of today's methods changes.
 */
import type { Json } from '../lib/engine/json.js';
import type { Consumer, ConsumerOptions, Delivery, Outcome } from '../lib/engine/ports/worker-port.js';

// ---------------------------------------------------------------------------------------------------------------------
// Batches. Many calls, one run.

export interface BatchOptions {
  /** Calls in one run. */
  readonly size: number;
  /** Milliseconds that the first call of a batch waits for others. */
  readonly wait: number;
}

/** Runs several deliveries of one task together. The chain of handlers is the same; this is its form for batches. */
export interface BatchHandler {
  /** The key by which calls are put into different batches; the same for all calls when the task has no key. */
  keyOf(delivery: Delivery): string;
  /** One outcome for each delivery, in order. */
  handleBatch(deliveries: readonly Delivery[]): Promise<readonly Outcome[]>;
}

export interface BatchPort {
  /** As `consume`, for a queue whose tasks all have batches. Calls that are held count as running. */
  consumeBatches(queue: string, options: ConsumerOptions & BatchOptions, handler: BatchHandler): Consumer;
}

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
