import type { Override, QueueSettings, RateLimit, Reason } from '../engine/ports/control-port.js';
import type { WorkerRecord } from '../engine/ports/worker-registry.js';

/** Who changed a setting, when (ISO 8601 text in UTC) and why. */
export interface SettingReason {
  readonly by: string;
  readonly at: string;
  readonly reason: string | null;
}

/** A limit of a queue. `null`: none. */
export interface QueueSetting<T> {
  /** What applies in all workers: the override, else what the code declares. */
  readonly inForce: T | null;
  /** What the live workers of the queue declare, of several versions the one that started last; without any, this process. */
  readonly declared: T | null;
  /** What an administrator has set. `by`, `at` and `reason` are `null` when another program has set it. */
  readonly override: ({ readonly value: T } & { readonly [K in keyof SettingReason]: SettingReason[K] | null }) | null;
}

/** The settings of a queue, as `TaskAdmin.queues()` shows them. */
export interface QueueSettingsInfo {
  /** No worker takes tasks from the queue. */
  readonly paused: boolean;
  /** Who paused the queue; `null` for a queue that is not paused, or that another program has paused. */
  readonly pausedBy: SettingReason | null;
  /** How many tasks of the queue run at once in all workers together. */
  readonly globalConcurrency: QueueSetting<number>;
  /** How many tasks start in each period, in all workers together. `per` is in milliseconds. */
  readonly rateLimit: QueueSetting<RateLimit>;
}

/** @param alive the live workers of the queue */
export function toSettingsInfo(
  { paused, pausedBy, globalConcurrency, declaredConcurrency, rateLimit }: QueueSettings,
  name: string,
  alive: readonly WorkerRecord[],
  ownLimit: RateLimit | undefined,
): QueueSettingsInfo {
  const newest = alive.toSorted((one, other) => other.startedAt - one.startedAt)[0];
  const declared = newest?.rateLimits ? newest.rateLimits[name] : ownLimit;
  return {
    paused,
    pausedBy: pausedBy && toReason(pausedBy),
    globalConcurrency: toSetting(globalConcurrency, declaredConcurrency),
    rateLimit: toSetting(rateLimit, declared ?? null),
  };
}

function toSetting<T>(override: Override<T> | null, declared: T | null): QueueSetting<T> {
  const by = override?.by ? toReason(override.by) : { by: null, at: null, reason: null };
  return {
    inForce: override?.value ?? declared,
    declared,
    override: override && { value: override.value, ...by },
  };
}

function toReason({ by, at, reason }: Reason): SettingReason {
  return { by, at: new Date(at).toISOString(), reason };
}
