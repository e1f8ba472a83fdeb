import { readLogLine } from '../../log-line.js';
import type { LogPage } from '../../ports/history-port.js';
import { queueOfTask } from '../../task-id.js';
import type { Availability } from '../availability.js';
import type { JobLogs } from '../driver.js';
import type { JobRef } from '../stored-jobs.js';
import { Gatherer } from '../gatherer.js';
import type { JobLookup } from './job-lookup.js';

/** The lines of one call. One call at a time keeps the lines in their order. */
const WRITES = { size: 1_000, atOnce: 1 };

export interface TaskLogDeps {
  readonly logs: JobLogs;
  readonly availability: Availability;
  readonly lookup: Pick<JobLookup, 'find'>;
  /** How many lines are kept of each task: the last ones. */
  readonly keep: number;
}

/** Writes and reads the logs of tasks. The lines of all tasks that come in one turn of the event loop share a call. */
export class TaskLog {
  private readonly writes: Gatherer<JobRef & { readonly line: string }, void>;

  constructor(private readonly deps: TaskLogDeps) {
    const { logs, availability, keep } = deps;
    this.writes = new Gatherer(async (lines) => {
      // An outage in the middle of a call may store its lines twice.
      await availability.withRetries('log', () => logs.add(lines, keep));
      return lines.map(() => undefined);
    }, WRITES);
  }

  /**
   * Adds a line in its stored form. The line is dropped when the task is no longer stored.
   *
   * @throws EngineUnavailableError when the store does not answer in time
   */
  add(job: JobRef, line: string): Promise<void> {
    return this.writes.call({ ...job, line });
  }

  /** See `HistoryPort.readLog`. */
  async read(id: string, after: number, limit: number): Promise<LogPage | undefined> {
    const { logs, availability, lookup } = this.deps;
    const queue = queueOfTask(id);
    if (queue === undefined) return undefined;
    const [found, { dropped, kept, rows }] = await Promise.all([
      lookup.find(id),
      availability.withRetries('logs', () => logs.read({ queue, id }, after, limit)),
    ]);
    if (!found) return undefined;
    const first = Math.max(after, dropped) + 1;
    return { lines: rows.map((row, place) => readLogLine(row, first + place)), kept };
  }
}
