/**
 * What the engine keeps for schedules, one for all processes of an application: texts under keys. Each is written as a
 * whole, and the last writer wins. What keys and texts mean is the business of `schedules/`.
 *
 * All methods throw `EngineUnavailableError` when the engine does not answer in time.
 */
export interface ScheduleStore {
  /** Every text by its key. */
  all(): Promise<ReadonlyMap<string, string>>;
  /** The texts of these keys, in order. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>;
  set(texts: Readonly<Record<string, string>>): Promise<void>;
  delete(keys: readonly string[]): Promise<void>;
  /** 128 random bits, made up by whoever asks first and from then on the same for everybody. */
  secret(): Promise<string>;
  /** Tells everybody who follows that something was changed. The message may be lost. */
  announce(): Promise<void>;
  /** Calls `listener` as soon as the engine can be reached, and again whenever somebody announces a change. */
  follow(listener: () => Promise<void>): Following;
}

export interface Following {
  /** Resolves once it follows and the listener was called, or when the engine cannot be reached for now. */
  readonly started: Promise<void>;
  stop(): void;
}
