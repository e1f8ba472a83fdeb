import { storableText } from './json.js';

/** How serious a line of a task's log is. The names are those of Nest's loggers. */
export type LogLevel = 'debug' | 'log' | 'warn' | 'error';

export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'log', 'warn', 'error'];

/** A line of a task's log. */
export interface LogLine {
  /** The number of the line in the log, 1 for the first. It stays the same when earlier lines are dropped. */
  readonly index: number;
  /** `null` for a line without a time: an older version of this package, or another program, wrote it. */
  readonly at: number | null;
  readonly level: LogLevel;
  readonly text: string;
}

/** The most characters of one line; of a longer line, the beginning is kept. */
export const LONGEST_LINE = 10_000;

/**
 * The stored form of a line: time, level and text, so that other tools of BullMQ show a readable line.
 *
 * @example 2026-11-27T08:30:00.000Z WARN the page has no title
 */
export function writeLogLine(at: number, level: LogLevel, text: string): string {
  return `${new Date(at).toISOString()} ${level.toUpperCase()} ${bounded(storableText(text))}`;
}

/** @param stored any text: other programs may add lines to the log of a job */
export function readLogLine(stored: string, index: number): LogLine {
  const [, time = '', level = '', text = ''] = STORED.exec(stored) ?? [];
  const at = Date.parse(time);
  if (Number.isNaN(at)) return { index, at: null, level: 'log', text: bounded(stored) };
  return { index, at, level: level.toLowerCase() as LogLevel, text: bounded(text) };
}

const STORED = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (DEBUG|LOG|WARN|ERROR) ([^]*)$/;

/** What stands behind the part of a line that is kept. A line that has it is not cut again. */
const CUT_MARK = /… \(cut: \d+ characters\)$/;

function bounded(text: string): string {
  if (text.length <= LONGEST_LINE) return text;
  if (text.length <= LONGEST_LINE + 40 && CUT_MARK.test(text)) return text;
  // A cut through a pair of surrogates would leave half a character.
  return `${text.slice(0, LONGEST_LINE).replace(/[\uD800-\uDBFF]$/, '')}… (cut: ${text.length} characters)`;
}
