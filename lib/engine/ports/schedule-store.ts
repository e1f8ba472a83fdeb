/**
 * What an engine stores for schedules: texts under keys, shared by all processes of an application. A text is written
 * as a whole, and the last writer wins. `schedules/` decides what keys and texts mean.
 *
 * Reading or writing a key costs the same however many keys there are. Each method throws EngineUnavailableError when the
 * engine does not answer in time.
 */
export interface ScheduleStore {
  /** The texts of these keys, in order. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>;
  set(texts: Readonly<Record<string, string>>): Promise<void>;
  delete(keys: readonly string[]): Promise<void>;
  /**
   * One page of all texts. A text that is stored during the whole scan is in at least one page, and perhaps in several. The
   * order is that of the engine.
   *
   * @param cursor `undefined` for the first page, then the cursor of the page before
   */
  scan(cursor: string | undefined): Promise<TextPage>;
  /**
   * 128 random bits as a text of base64url. Every caller of any process gets the same, until the data of the engine is lost.
   *
   * @param known what this process got earlier. It is stored again when none is stored, so that processes which run
   * during the loss keep the same secret
   */
  secret(known?: string): Promise<string>;
  /** Tells all followers, also those of this process, that the texts of these keys changed. The message may be lost. */
  announce(keys: readonly string[]): Promise<void>;
  /**
   * Calls `listener` as soon as the engine can be reached, and again after each announced change, with the keys that
   * changed: `undefined` when it may be any key.
   */
  follow(listener: (keys: readonly string[] | undefined) => Promise<void>): Following;
}

export interface TextPage {
  readonly texts: ReadonlyMap<string, string>;
  /** `undefined` after the last page. */
  readonly next: string | undefined;
}

export interface Following {
  /** Resolves once the listener was called for the first time, or when the engine cannot be reached for now. */
  readonly started: Promise<void>;
  stop(): void;
}
