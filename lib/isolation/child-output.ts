import type { Readable, Writable } from 'node:stream';

/** Lines that are kept for an error message. */
const LINES_KEPT = 40;
/** A longer line is cut into pieces of this length. */
const LONGEST_LINE = 64 * 1024;

/**
 * Copies what a child process prints, line by line, with a prefix that names the process.
 *
 * @returns the last lines, oldest first. The list changes with each line
 */
export function copyOutput(source: Readable, target: Writable, prefix: string): readonly string[] {
  const kept: string[] = [];
  let rest = '';
  const write = (lines: readonly string[]) => {
    if (lines.length === 0) return;
    kept.push(...lines.map((line) => line.trimEnd()).filter((line) => line !== ''));
    kept.splice(0, kept.length - LINES_KEPT);
    target.write(lines.map((line) => `${prefix}${line}\n`).join(''));
  };
  source.setEncoding('utf8');
  source.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (; rest.length > LONGEST_LINE; rest = rest.slice(LONGEST_LINE)) lines.push(rest.slice(0, LONGEST_LINE));
    write(lines);
  });
  source.on('end', () => write(rest === '' ? [] : [rest]));
  source.on('error', () => undefined);
  return kept;
}
