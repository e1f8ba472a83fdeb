/**
 * What an engine stores for schedules: texts under keys, shared by all processes of an application. A text is written
 * as a whole, and the last writer wins. `schedules/` decides what keys and texts mean.
 *
 * Each method throws EngineUnavailableError when the engine does not answer in time.
 */
export interface ScheduleStore {
  /** Every text by its key. */
  all(): Promise<ReadonlyMap<string, string>>;
  /** The texts of these keys, in order. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>;
  set(texts: Readonly<Record<string, string>>): Promise<void>;
  delete(keys: readonly string[]): Promise<void>;
  /** 128 random bits. The first caller creates them; every caller of any process gets the same. */
  secret(): Promise<string>;
  /** Tells all followers that a text changed. The message may be lost. */
  announce(): Promise<void>;
  /** Calls `listener` as soon as the engine can be reached, and again after each announced change. */
  follow(listener: () => Promise<void>): Following;
}

export interface Following {
  /** Resolves once the listener was called for the first time, or when the engine cannot be reached for now. */
  readonly started: Promise<void>;
  stop(): void;
}
