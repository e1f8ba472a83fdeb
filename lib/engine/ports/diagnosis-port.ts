/** What a check found. */
export interface Finding {
  /** What was checked: `eviction`, `privileges`, `workers` … */
  readonly check: string;
  /** `fail`: tasks do not run, or may get lost. `warn`: they may soon, or nobody knows. */
  readonly level: 'ok' | 'warn' | 'fail';
  readonly text: string;
  /** What to do about it; `null` when all is well. */
  readonly cure: string | null;
}

/** Checking the store itself. */
export interface DiagnosisPort {
  /**
   * Asks the store for an answer, once, on a connection that is open anyway.
   *
   * @throws EngineUnavailableError when the store does not answer within five seconds, or answers and refuses other calls
   */
  ping(): Promise<void>;
  /**
   * Checks the server and its settings: its version, whether it may lose tasks, whether it has room, what this process may do
   * there. Changes nothing.
   *
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  diagnose(): Promise<Finding[]>;
}

/** All is well. */
export function fine(check: string, text: string): Finding {
  return { check, level: 'ok', text, cure: null };
}

/** A finding that somebody has to do something about. */
export function finding(check: string, level: 'warn' | 'fail', text: string, cure: string): Finding {
  return { check, level, text, cure };
}

/** How full something is: a warning from 80 %, a failure from 95 %. */
export function fullness(check: string, part: number, whole: number, text: string, cure: string): Finding {
  const share = whole > 0 ? part / whole : 0;
  if (share < 0.8) return fine(check, text);
  return finding(check, share < 0.95 ? 'warn' : 'fail', text, cure);
}

/** Bytes as people write them: `1.5 GB`. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let [size, unit] = [bytes, 0];
  while (size >= 1_000 && unit < units.length - 1) [size, unit] = [size / 1_000, unit + 1];
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
