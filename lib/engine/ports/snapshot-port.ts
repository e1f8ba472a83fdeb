/**
 * Texts that all processes share: figures that one process has read for all of them. A text is written as a whole, and may get lost.
 * Each method throws EngineUnavailableError when the engine does not answer in time.
 */
export interface SnapshotPort {
  /** The texts of these keys, in order. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>;
  set(texts: Readonly<Record<string, string>>): Promise<void>;
}
