import type { AttemptRecord } from '../attempt.js';
import type { LogLine } from '../log-line.js';

/** What happened to a task: its attempts, and the lines that it wrote with `task.log()`. */
export interface HistoryPort {
  /**
   * The lines of a task's log behind the line with the index `after`, oldest first.
   *
   * @param after 0 for the first line that is kept
   * @param limit the most lines; 0 only counts them
   * @returns `undefined` when there is no such task
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  readLog(id: string, after: number, limit: number): Promise<LogPage | undefined>;
  /**
   * The last attempts of a task, oldest first, 20 at most.
   *
   * @returns `undefined` when there is no such task
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  attempts(id: string): Promise<AttemptRecord[] | undefined>;
}

export interface LogPage {
  readonly lines: readonly LogLine[];
  /** How many lines the engine keeps of the task. */
  readonly kept: number;
}
