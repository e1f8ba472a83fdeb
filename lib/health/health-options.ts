import type { Duration } from '../duration.js';

/** What all probes take. */
export interface ProbeOptions {
  /** The name of the probe in the answer. Each method has its own default. */
  readonly key?: string;
  /** How long the probe waits for the engine; after that it is down. Default: `'2s'`. */
  readonly timeout?: Duration;
}

export interface EngineOptions extends ProbeOptions {
  /**
   * The shards that have to answer, by name; `'default'` is the one that the option `connection` names. Name only the shards without
   * which this process is of no use: the outage of another one then leaves it ready. Default: all shards.
   */
  readonly shards?: readonly string[];
}

export interface ConsumingOptions extends ProbeOptions {
  /**
   * The queues that have to be consumed: by this process when it is set up to consume them, otherwise by any live worker.
   * Default: all queues that this process consumes.
   */
  readonly queues?: readonly string[];
  /**
   * How long a queue may be silent: an idle worker asks the engine for a task at least every ten seconds, and its queue counts as
   * consumed as long as the engine answers. Default: `'30s'`.
   */
  readonly within?: Duration;
  /**
   * `'readiness'`: whether tasks are taken now. `'liveness'`: whether a restart of this process can help. So an engine that cannot
   * be reached, and an application that closes, do not make the probe fail. Default: `'readiness'`.
   */
  readonly probe?: 'readiness' | 'liveness';
}

/** At least one of `max` and `maxAge`. */
export interface BacklogOptions extends ProbeOptions {
  readonly queue: string;
  /** The most tasks that may wait for a worker. */
  readonly max?: number;
  /** How long the first of them may wait. */
  readonly maxAge?: Duration;
}

export interface SchedulesOptions extends ProbeOptions {
  /** How late a run may be enqueued. Default: `'1m'`. */
  readonly maxLag?: Duration;
}
