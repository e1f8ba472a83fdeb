import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../engine/engine.js';
import type { LogLevel, LogLine } from '../engine/log-line.js';
import { isFinal } from '../engine/task.js';
import { InvalidArgumentsError, TaskNotFoundError } from '../errors.js';

/** A line that a task wrote with `TaskContext.log()`. */
export interface TaskLogLine {
  /** The number of the line in the log of its task, 1 for the first. It stays the same when earlier lines are dropped. */
  readonly index: number;
  /** ISO 8601 text in UTC; `null` for a line that another program or an older version of this package wrote. */
  readonly at: string | null;
  readonly level: LogLevel;
  readonly text: string;
}

export interface LogOptions {
  /** The `index` of a line: only lines behind it are read. Default: 0, all lines that are kept. */
  readonly after?: number;
  /** The most lines, from 1 to 10,000. Default: 1,000. */
  readonly limit?: number;
}

export interface FollowLogOptions {
  /** The `index` of a line: only lines behind it are read. Default: 0, all lines that are kept. */
  readonly after?: number;
  /** Ends the iteration when it is aborted, without an error. */
  readonly signal?: AbortSignal;
}

/** Milliseconds between two reads of a log that is followed. */
const FOLLOW_INTERVAL = 500;
const DEFAULT_LIMIT = 1_000;
const LARGEST_LIMIT = 10_000;

/** Reads the logs of tasks. */
export class TaskLogReader {
  constructor(private readonly engine: Pick<Engine, 'find' | 'readLog'>) {}

  /** See `TaskAdmin.logs`. */
  async read(id: string, { after = 0, limit = DEFAULT_LIMIT }: LogOptions): Promise<TaskLogLine[]> {
    checkNumber('after', after, [0, Number.MAX_SAFE_INTEGER]);
    checkNumber('limit', limit, [1, LARGEST_LIMIT]);
    const page = await this.engine.readLog(id, after, limit);
    if (!page) throw new TaskNotFoundError(id);
    return page.lines.map(toTaskLogLine);
  }

  /** See `TaskAdmin.followLogs`. */
  async *follow(id: string, { after = 0, signal }: FollowLogOptions): AsyncGenerator<TaskLogLine, void, undefined> {
    checkNumber('after', after, [0, Number.MAX_SAFE_INTEGER]);
    let last = after;
    let isKnown = false;
    for (;;) {
      if (signal?.aborted) return;
      // The state is read first: a task that is final by then writes no more lines.
      const record = await this.engine.find(id);
      const page = record && (await this.engine.readLog(id, last, DEFAULT_LIMIT));
      if (!page) {
        // A task that is removed while its log is followed has ended.
        if (!isKnown) throw new TaskNotFoundError(id);
        return;
      }
      isKnown = true;
      for (const line of page.lines) {
        if (signal?.aborted) return;
        yield toTaskLogLine(line);
        last = line.index;
      }
      if (page.lines.length === DEFAULT_LIMIT) continue;
      if (isFinal(record.state)) return;
      await sleep(FOLLOW_INTERVAL, undefined, signal && { signal }).catch(() => undefined);
    }
  }
}

function toTaskLogLine({ at, ...line }: LogLine): TaskLogLine {
  return { ...line, at: at === null ? null : new Date(at).toISOString() };
}

function checkNumber(name: string, value: number, [least, most]: readonly [number, number]): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `from ${least} to ${most}`;
  throw new InvalidArgumentsError(`${name} is ${JSON.stringify(value)}. Give a whole number, ${range}.`);
}
