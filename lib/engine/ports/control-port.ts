/** Who changed a setting, when and why. It is stored with the setting. */
export interface Reason {
  readonly by: string;
  /** The time of the store's clock. */
  readonly at: number;
  readonly reason: string | null;
}

/** At most `max` tasks of a queue start in each period of `per` milliseconds, in all workers together. */
export interface RateLimit {
  readonly max: number;
  readonly per: number;
}

/** A setting that an administrator has put over the code's declaration. `by` is `null` when another program set it. */
export interface Override<T> {
  readonly value: T;
  readonly by: Reason | null;
}

/** The stored settings of a queue. `null`: the code's declaration applies. */
export interface QueueSettings {
  readonly paused: boolean;
  /** `null` for a queue that is not paused, or that another program has paused. */
  readonly pausedBy: Reason | null;
  readonly globalConcurrency: Override<number> | null;
  /** What the worker that started last declares; `null` for nothing. */
  readonly declaredConcurrency: number | null;
  readonly rateLimit: Override<RateLimit> | null;
}

/**
 * The settings of queues. They are stored: the workers that run obey them within seconds, workers that start later obey
 * them too, and a boot changes none. A queue may be one that no process has ever used.
 *
 * Each method throws EngineUnavailableError when the engine does not answer in time, and may be repeated without harm.
 */
export interface ControlPort {
  /**
   * The settings of these queues, in order. `undefined` for a queue whose shard cannot be reached, as long as the shard of another
   * of these queues can.
   */
  settings(queues: readonly string[]): Promise<(QueueSettings | undefined)[]>;
  /** Workers start no task of the queue any more; running tasks go on. */
  pause(queue: string, reason: Reason): Promise<void>;
  resume(queue: string): Promise<void>;
  /**
   * @param value tasks of the queue that run at once in all workers together, or runs in a queue with batches; `null` returns to the
   * code's declaration
   */
  setGlobalConcurrency(queue: string, value: number | null, reason: Reason): Promise<void>;
  /**
   * Tells what a worker that starts declares. It applies unless an administrator or another program has set another number.
   *
   * @param countsRuns the number counts runs that take places (see `PlacePort`) and not the tasks that workers take
   */
  declareGlobalConcurrency(queue: string, value: number | null, countsRuns: boolean): Promise<void>;
  /** @param limit takes precedence over the limit that workers declare; `null` returns to the code's declaration */
  setRateLimit(queue: string, limit: RateLimit | null, reason: Reason): Promise<void>;
}
